//! A Kafka of a test's own, which it may hurt. `infra/local/kafka` starts it.
use super::{PATIENCE, wait_for, wait_until};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
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
        Self::start_brokers(slots, 1)
    }

    /// Three brokers keep three copies of each record, and acknowledge at two.
    pub fn start_brokers(slots: u32, brokers: u32) -> Option<Self> {
        if std::env::var_os("CHATMAI_TEST_KAFKA_BROKERS").is_none() {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Not by a macro, which the test harness would catch.
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: CHATMAI_TEST_KAFKA_BROKERS is not set");
            return None;
        }
        let mut kafka = Self { directory: tempfile::tempdir().unwrap(), settings: HashMap::new() };
        kafka.run("start", &["--slots", &slots.to_string(), "--brokers", &brokers.to_string()]);
        Some(kafka)
    }

    /// The settings of a node that uses it.
    pub fn node(&self) -> Vec<(&'static str, String)> {
        let setting = |name: &str| self.value(name).to_owned();
        vec![
            ("kafka.brokers", format!("[\"{}\"]", setting("BROKERS").replace(',', "\", \""))),
            ("kafka.ca_certificate", setting("CA")),
            ("kafka.certificate", setting("CERTIFICATE")),
            ("kafka.key", setting("KEY")),
        ]
    }

    /// A value that the script printed.
    pub fn value(&self, name: &str) -> &str {
        &self.settings[&format!("CHATMAI_TEST_KAFKA_{name}")]
    }

    /// What the only broker has written.
    pub fn log_directory(&self) -> PathBuf {
        self.broker_directory(1)
    }

    /// What a broker has written.
    pub fn broker_directory(&self, broker: u32) -> PathBuf {
        self.directory.path().join(format!("broker-{broker}/log"))
    }

    /// A line of a broker's configuration.
    pub fn property(&self, broker: u32, name: &str) -> String {
        let file = self.directory.path().join(format!("broker-{broker}/server.properties"));
        let text = std::fs::read_to_string(file).unwrap();
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        values.next().unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        let mut config = ClientConfig::new();
        config.set("security.protocol", "ssl").set("bootstrap.servers", self.value("BROKERS"));
        for (name, value) in [("ca", "CA"), ("certificate", "CERTIFICATE"), ("key", "KEY")] {
            config.set(format!("ssl.{name}.location"), self.value(value));
        }
        config.create().unwrap()
    }

    /// A topic's only partition begins there from now on, as when a broker deletes what is too old.
    pub fn forget(&self, topic: &str, below: u64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, 0, Offset::Offset(below.try_into().unwrap())).unwrap();
        let done = futures::executor::block_on(self.admin().delete_records(&offsets, &AdminOptions::new())).unwrap();
        done.elements()[0].error().unwrap();
    }

    /// Deletes a topic, and makes one of this name with one partition and the broker's settings.
    pub fn make_again(&self, topic: &str) {
        let (admin, options) = (self.admin(), AdminOptions::new());
        futures::executor::block_on(admin.delete_topics(&[topic], &options)).unwrap()[0].as_ref().unwrap();
        let new = [NewTopic::new(topic, 1, TopicReplication::Fixed(1))];
        // The name is free a moment later.
        wait_for("the topic's name", || {
            futures::executor::block_on(admin.create_topics(&new, &options)).unwrap()[0].as_ref().ok().cloned()
        });
        // Made by the controller, it is not known to the broker that is asked at once.
        wait_until("the new topic", || {
            let metadata = admin.inner().fetch_metadata(Some(topic), PATIENCE).unwrap();
            let topic = &metadata.topics()[0];
            topic.error().is_none() && topic.partitions().iter().any(|partition| partition.leader() >= 0)
        });
    }

    /// SIGKILL to one broker.
    pub fn kill9(&self, broker: u32) {
        let pid = std::fs::read_to_string(self.directory.path().join(format!("broker-{broker}/pid"))).unwrap();
        let command_line = format!("/proc/{}/cmdline", pid.trim());
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        // Until it is gone, connections may still find it. One that nobody has waited for has no command line either.
        wait_until("the end of the broker", || std::fs::read(&command_line).map_or(true, |line| line.is_empty()));
    }

    /// Starts the brokers that do not run, on what is on their disks.
    pub fn start_again(&mut self) {
        self.run("start", &[]);
    }

    /// True when every copy of every partition is there and has everything.
    pub fn is_in_sync(&mut self) -> bool {
        self.run("behind", &[]).trim().is_empty()
    }

    /// SIGKILL, and a start on what is on the disk.
    pub fn kill9_and_start(&mut self) {
        self.kill9(1);
        self.start_again();
    }

    fn run(&mut self, command: &str, options: &[&str]) -> String {
        let mut script = Command::new(SCRIPT);
        script.arg(command).arg(self.directory.path()).args(options).stderr(Stdio::inherit());
        let output = script.output().unwrap();
        assert!(output.status.success(), "infra/local/kafka {command} failed");
        let text = String::from_utf8(output.stdout).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('=')).filter(|_| command == "start");
        self.settings.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        text
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = Command::new(SCRIPT).arg("stop").arg(self.directory.path()).status();
    }
}
