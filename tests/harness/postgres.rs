//! A PostgreSQL server of one test's own, which it may restart and spoil, by `infra/local/postgres`.
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// Dropped, it is gone.
pub struct Server {
    dir: TempDir,
    /// Where a node finds its three databases.
    pub settings: Vec<(String, String)>,
}

impl Server {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        script("start", dir.path(), "");
        let printed: toml::Table = toml::from_str(&script("databases", dir.path(), "")).unwrap();
        let mut settings = Vec::new();
        for (section, fields) in &printed {
            for (field, value) in fields.as_table().unwrap() {
                settings.push((format!("{section}.{field}"), value.as_str().unwrap().to_owned()));
            }
        }
        assert_eq!(settings.len(), 9, "{settings:?}");
        Self { dir, settings }
    }

    pub fn setting(&self, name: &str) -> &str {
        &self.settings.iter().find(|(set, _)| set == name).unwrap().1
    }

    /// Ends it as a crash does, and starts it again.
    pub fn restart(&self) {
        script("restart", self.dir.path(), "");
    }

    pub fn stop(&self) {
        script("stop", self.dir.path(), "");
    }

    pub fn start_again(&self) {
        script("start", self.dir.path(), "");
    }

    /// Where it keeps everything, its write-ahead log too.
    pub fn data_directory(&self) -> PathBuf {
        self.dir.path().join("data").canonicalize().unwrap()
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        let port = std::fs::read_to_string(self.dir.path().join("port")).unwrap();
        format!("127.0.0.1:{}", port.trim())
    }

    /// The settings, with another address in front of the server.
    pub fn settings_at(&self, address: &str) -> Vec<(String, String)> {
        let own = format!("@{}/", self.address());
        let settings = self.settings.iter();
        settings.map(|(name, value)| (name.clone(), value.replace(&own, &format!("@{address}/")))).collect()
    }

    /// Runs statements as superuser.
    pub fn sql(&self, statements: &str) -> String {
        script("sql", self.dir.path(), statements)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        script("remove", self.dir.path(), "");
    }
}

fn script(command: &str, dir: &Path, input: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/local/postgres");
    let mut child = Command::new(path)
        .args([command, dir.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A script that does not read its input may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    if !output.status.success() && !std::thread::panicking() {
        panic!("infra/local/postgres {command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8_lossy(&output.stdout).into_owned()
}
