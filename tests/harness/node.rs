//! `chatmai up`, or one of its roles, as a child process: started, killed, ended, started again on the same directory.
use super::{LONG_PATIENCE, client::Client, wait_for, wait_within};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// The binary: the one that was built with the tests, or that of `CHATMAI_BIN`, such as a release build for long runs.
pub fn binary() -> PathBuf {
    std::env::var_os("CHATMAI_BIN").map_or_else(|| env!("CARGO_BIN_EXE_chatmai").into(), PathBuf::from)
}

/// A command of the binary on a data directory. `dir` is the working directory too, so that no `chatmai.toml` of
/// another place is read.
pub fn command(dir: &Path, settings: &[(String, String)]) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(dir.parent().unwrap()).env("CHATMAI__DATA_DIR", dir).stdin(Stdio::null());
    for (name, value) in settings {
        command.env(variable(name), value);
    }
    command
}

/// `land.max_age` as the environment names it.
pub fn variable(setting: &str) -> String {
    format!("CHATMAI__{}", setting.to_ascii_uppercase().replace('.', "__"))
}

/// Where a node listens.
#[derive(Clone)]
pub struct Endpoints {
    pub ingest: String,
    pub api: String,
    pub operations: String,
    pub ca: PathBuf,
    pub client: Client,
}

impl Endpoints {
    fn read(file: &Path) -> Option<Self> {
        let value: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
        let text =
            |name: &str| value[name].as_str().unwrap_or_else(|| panic!("endpoints.json has no {name}")).to_owned();
        // A role has the listeners that it needs.
        let listener = |name: &str| value[name].as_str().unwrap_or_default().trim_end_matches('/').to_owned();
        let ca = PathBuf::from(text("ca_certificate"));
        let ca = if ca.is_absolute() { ca } else { file.parent()?.parent()?.join(ca) };
        let url = |name: &str| text(name).trim_end_matches('/').to_owned();
        let client = Client::trusting(&ca);
        Some(Self { ingest: listener("ingest"), api: listener("api"), operations: url("operations"), ca, client })
    }
}

/// A running node, or one that was killed and can be started again.
pub struct Node {
    dir: PathBuf,
    log: PathBuf,
    role: &'static str,
    settings: Vec<(String, String)>,
    child: Option<Child>,
    endpoints: Option<Endpoints>,
}

impl Node {
    /// A node on a directory, not started. What it says goes to `log`, over all its lives.
    pub fn new(dir: &Path, log: &Path, settings: &[(String, String)]) -> Self {
        let settings = settings.to_vec();
        Self { dir: dir.to_owned(), log: log.to_owned(), role: "up", settings, child: None, endpoints: None }
    }

    /// What it is started as from now on.
    pub fn role(&mut self, role: &'static str) {
        self.role = role;
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a setting away for the next start.
    pub fn unset(&mut self, name: &str) {
        self.settings.retain(|(set, _)| set != name);
    }

    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Starts, and waits until it listens.
    pub fn start(&mut self) {
        if let Some(status) = self.try_start() {
            panic!("`chatmai up` ended with {status} while starting:\n{}", self.log_tail());
        }
    }

    /// Starts, and waits until it listens or has ended; then with which status.
    pub fn try_start(&mut self) -> Option<ExitStatus> {
        self.spawn();
        let file = self.dir.join("endpoints.json");
        // Longer than a start waits for a log that does not answer.
        let started = wait_within(LONG_PATIENCE, "endpoints.json after the start", || match self.exited() {
            Some(status) => Some(Err(status)),
            None => Endpoints::read(&file).map(Ok),
        });
        match started {
            Ok(endpoints) => {
                self.endpoints = Some(endpoints);
                None
            }
            Err(status) => {
                self.child = None;
                Some(status)
            }
        }
    }

    /// Starts and does not wait.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        // Of the life before; whether the program removes it as well has its own test.
        let _ = std::fs::remove_file(self.dir.join("endpoints.json"));
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let child = command(&self.dir, &self.settings)
            .arg(self.role)
            .arg("--data-dir")
            .arg(&self.dir)
            .stdout(Stdio::from(File::options().append(true).open(&self.log).unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    pub fn endpoints(&self) -> &Endpoints {
        self.endpoints.as_ref().expect("the node has been started")
    }

    /// The status, when it has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().unwrap()
    }

    /// SIGKILL.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// SIGTERM; it has to end with 0 within 10 seconds.
    pub fn term(&mut self) {
        self.signal(Signal::TERM);
        let began = Instant::now();
        let status = wait_for("the end after SIGTERM", || self.exited());
        let took = began.elapsed();
        self.child = None;
        assert!(status.success(), "after SIGTERM it ended with {status}:\n{}", self.log_tail());
        assert!(took < Duration::from_secs(10), "the graceful stop took {took:?}");
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// SIGSTOP: it holds its connections and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT: it goes on where it was, and does not know that time has passed.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// True while it is stopped.
    pub fn is_frozen(&self) -> bool {
        let pid = self.child.as_ref().expect("it runs").id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    }

    /// Waits until it ends by itself, as at a fault point.
    pub fn wait_for_death(&mut self, patience: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience {
            if self.exited().is_some() {
                self.child = None;
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// SIGTERM and a start.
    pub fn restart(&mut self) {
        self.term();
        self.start();
    }

    /// Everything it said so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the node's last words:\n{}", self.log_tail());
        }
        self.kill9();
    }
}
