//! A Kafka of a test's own, which it may hurt. `infra/local/kafka` starts it.
use std::{
    collections::HashMap,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/infra/local/kafka");

pub struct Kafka {
    directory: TempDir,
    settings: HashMap<String, String>,
}

impl Kafka {
    /// Starts one with topics of so many partitions, where tests with a broker are wanted; else says that the test is skipped.
    pub fn start(slots: u32) -> Option<Self> {
        if std::env::var_os("CHATMAI_TEST_KAFKA_BROKERS").is_none() {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Not by a macro, which the test harness would catch.
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: CHATMAI_TEST_KAFKA_BROKERS is not set");
            return None;
        }
        let mut kafka = Self { directory: tempfile::tempdir().unwrap(), settings: HashMap::new() };
        kafka.run(&["start"], &["--slots", &slots.to_string()]);
        Some(kafka)
    }

    /// The settings of a node that uses it.
    pub fn node(&self) -> Vec<(&'static str, String)> {
        let setting = |name: &str| self.settings[&format!("CHATMAI_TEST_KAFKA_{name}")].clone();
        vec![
            ("kafka.brokers", format!("[\"{}\"]", setting("BROKERS").replace(',', "\", \""))),
            ("kafka.ca_certificate", setting("CA")),
            ("kafka.certificate", setting("CERTIFICATE")),
            ("kafka.key", setting("KEY")),
        ]
    }

    /// What the broker has written.
    pub fn log_directory(&self) -> PathBuf {
        self.directory.path().join("broker-1/log")
    }

    /// SIGKILL, and a start on what is on the disk.
    pub fn kill9_and_start(&mut self) {
        let pid = std::fs::read_to_string(self.directory.path().join("broker-1/pid")).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        self.run(&["stop"], &[]);
        self.run(&["start"], &[]);
    }

    fn run(&mut self, command: &[&str], options: &[&str]) {
        let mut script = Command::new(SCRIPT);
        script.args(command).arg(self.directory.path()).args(options).stderr(Stdio::inherit());
        let output = script.output().unwrap();
        assert!(output.status.success(), "infra/local/kafka {command:?} failed");
        let text = String::from_utf8(output.stdout).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        self.settings.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = Command::new(SCRIPT).arg("stop").arg(self.directory.path()).status();
    }
}
