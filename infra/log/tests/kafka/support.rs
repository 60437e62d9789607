//! Brokers: the one that is given, and ones of a test's own, which it may hurt.
use event_log::{
    SharedLog,
    kafka::{Credentials, KafkaLog, Options},
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use std::{
    collections::HashMap,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../local/kafka");

/// How to reach a broker.
pub struct Broker {
    settings: HashMap<String, String>,
    /// Of one of the test's own.
    directory: Option<tempfile::TempDir>,
}

impl Broker {
    /// The one of the environment.
    pub fn given() -> Option<Self> {
        let settings: HashMap<_, _> =
            std::env::vars().filter(|(name, _)| name.starts_with("CHATMAI_TEST_KAFKA_")).collect();
        if !settings.contains_key("CHATMAI_TEST_KAFKA_BROKERS") {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Not by a macro, which the test harness would catch.
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: CHATMAI_TEST_KAFKA_BROKERS is not set");
            return None;
        }
        Some(Self { settings, directory: None })
    }

    /// A new one, where tests with a broker are wanted at all.
    pub fn own() -> Option<Self> {
        Self::given()?;
        let directory = tempfile::tempdir().unwrap();
        let settings = start(&directory);
        Some(Self { settings, directory: Some(directory) })
    }

    pub fn setting(&self, name: &str) -> &str {
        &self.settings[&format!("CHATMAI_TEST_KAFKA_{name}")]
    }

    pub fn pid(&self) -> rustix::process::Pid {
        let pid = std::fs::read_to_string(self.directory.as_ref().unwrap().path().join("broker-1/pid")).unwrap();
        rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
    }

    pub fn stop(&self) {
        stop(self.directory.as_ref().unwrap());
    }

    pub fn start(&self) {
        start(self.directory.as_ref().unwrap());
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.setting("BROKERS"))
            .set("security.protocol", "ssl")
            .set("ssl.ca.location", self.setting("CA"))
            .set("ssl.certificate.location", self.setting("CERTIFICATE"))
            .set("ssl.key.location", self.setting("KEY"));
        config
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    pub fn producer(&self) -> rdkafka::producer::FutureProducer {
        self.client().create().unwrap()
    }

    /// How many members a group has.
    pub fn members(&self, group: &str) -> usize {
        let groups = self.admin().inner().fetch_group_list(Some(group), Duration::from_secs(30)).unwrap();
        groups.groups().iter().filter(|found| found.name() == group).map(|found| found.members().len()).sum()
    }

    /// Makes a topic as records need it, but for `changes`.
    pub async fn topic_with(&self, name: &str, slots: u32, changes: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, slots as i32, TopicReplication::Fixed(1));
        for (name, value) in [("segment.ms", "21600000"), ("max.message.bytes", "2097152")].iter().chain(changes) {
            topic = topic.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        let made = self.admin().create_topics([&topic], &options).await.unwrap();
        made.into_iter().for_each(|made| drop(made.unwrap()));
        // Made by the controller, it is not known to the broker that is asked at once.
        let is_known = || {
            let metadata = self.admin().inner().fetch_metadata(Some(name), Duration::from_secs(30)).unwrap();
            let topic = &metadata.topics()[0];
            topic.error().is_none() && topic.partitions().iter().all(|partition| partition.leader() >= 0)
        };
        while !is_known() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A new topic; its name.
    pub async fn topic(&self, slots: u32) -> String {
        let name = format!("test-{}", random());
        self.topic_with(&name, slots, &[]).await;
        name
    }

    pub fn options(&self, topic: &str) -> Options {
        let brokers = self.setting("BROKERS").split(',').map(str::to_owned).collect();
        let mut options = Options::new(brokers, topic, self.setting("CA"));
        let (certificate, key) = (self.setting("CERTIFICATE").into(), self.setting("KEY").into());
        options.credentials = Some(Credentials { certificate, key });
        // A busy machine is no fault.
        options.patience = Duration::from_secs(120);
        options
    }

    pub async fn open(&self, topic: &str) -> SharedLog {
        KafkaLog::open(self.options(topic)).await.unwrap()
    }

    /// With the patience that a webhook has.
    pub async fn open_impatient(&self, topic: &str) -> SharedLog {
        let mut options = self.options(topic);
        options.patience = Duration::from_secs(5);
        KafkaLog::open(options).await.unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            stop(directory);
        }
    }
}

/// Names that no other run has.
pub fn random() -> String {
    let directory = tempfile::Builder::new().prefix("").rand_bytes(12).tempdir().unwrap();
    directory.path().file_name().unwrap().to_string_lossy().into_owned()
}

fn start(directory: &tempfile::TempDir) -> HashMap<String, String> {
    let output = Command::new(SCRIPT).arg("start").arg(directory.path()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "no broker");
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn stop(directory: &tempfile::TempDir) {
    assert!(Command::new(SCRIPT).arg("stop").arg(directory.path()).status().unwrap().success());
}
