//! An S3 service of a test's own, by `infra/local/s3`: it can be stopped in the middle of what it does.
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::HashMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// See the module's documentation.
pub struct S3 {
    dir: PathBuf,
    values: HashMap<String, String>,
}

impl S3 {
    /// Starts one; `None`, said aloud, where the tests have no S3.
    pub fn start(dir: &Path, test: &str) -> Option<Self> {
        if std::env::var_os("CHATMAI_TEST_S3_ENDPOINT").is_none() {
            // Past the harness, which would keep it to itself.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED {test}: CHATMAI_TEST_S3_ENDPOINT is not set (infra/local/s3 start DIR)"
            );
            return None;
        }
        let mut s3 = Self { dir: dir.to_owned(), values: HashMap::new() };
        s3.again();
        Some(s3)
    }

    fn script(&self, command: &str) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/local/s3");
        let mut child = Command::new(script);
        let output = child.arg(command).arg(&self.dir).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "s3 {command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts it again, on the same port and with the same objects.
    pub fn again(&mut self) {
        let lines = self.script("start");
        let pairs = lines.lines().filter_map(|line| line.split_once('='));
        self.values = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    }

    /// Where its files are: its key, its CA, and everything in the bucket.
    pub fn directory(&self) -> &Path {
        &self.dir
    }

    /// A value that the script printed.
    pub fn value(&self, name: &str) -> &str {
        &self.values[&format!("CHATMAI_TEST_S3_{name}")]
    }

    /// The settings of a node whose files lie in a folder of it.
    pub fn settings(&self, folder: &str) -> Vec<(String, String)> {
        let secret = self.dir.join("secret");
        std::fs::write(&secret, self.value("SECRET_KEY")).unwrap();
        let path = secret.to_str().unwrap();
        let url = format!("s3://{}/{folder}", self.value("BUCKET"));
        [
            ("store.url", url.as_str()),
            ("store.endpoint", self.value("ENDPOINT")),
            ("store.access_key_id", self.value("ACCESS_KEY")),
            ("store.secret_access_key_file", path),
            ("store.ca_certificate", self.value("CA")),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Objects in a folder.
    pub fn objects(&self, folder: &str) -> Vec<PathBuf> {
        let (mut found, mut left) =
            (Vec::new(), vec![self.dir.join("objects").join(self.value("BUCKET")).join(folder)]);
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { left.push(path) } else { found.push(path) }
            }
        }
        found
    }

    fn signal(&self, signal: Signal) {
        let pid: i32 = std::fs::read_to_string(self.dir.join("pid")).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// It holds its connections and answers nobody.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// It goes on where it was.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// It dies in the middle of what it does.
    pub fn kill9(&self) {
        self.signal(Signal::KILL);
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.script("stop");
    }
}
