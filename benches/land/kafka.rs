//! A topic of the brokers that the environment names, as `infra/local/kafka` prints them.
use event_log::{
    SharedLog,
    kafka::{Credentials, KafkaLog, Options},
};
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    client::Client,
    consumer::{BaseConsumer, Consumer},
};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);

pub struct Topic {
    brokers: String,
    ca: String,
    certificate: String,
    key: String,
    pub name: String,
}

impl Topic {
    /// Without brokers in the environment there is none.
    pub fn given() -> Option<Self> {
        let set = |name: &str| std::env::var(format!("CHATMAI_TEST_KAFKA_{name}")).ok();
        Some(Self {
            brokers: set("BROKERS")?,
            ca: set("CA")?,
            certificate: set("CERTIFICATE")?,
            key: set("KEY")?,
            name: std::env::var("CHATMAI_BENCH_TOPIC").unwrap_or_else(|_| "events".into()),
        })
    }

    /// As the program opens it.
    pub async fn open(&self) -> SharedLog {
        let mut options = Options::new(self.brokers.split(',').map(Into::into).collect(), &self.name, &self.ca);
        options.credentials = Some(Credentials { certificate: (&self.certificate).into(), key: (&self.key).into() });
        KafkaLog::open(options).await.expect("a topic")
    }

    /// What a client of the client library needs to be let in.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("security.protocol", "ssl")
            .set("ssl.ca.location", &self.ca)
            .set("ssl.certificate.location", &self.certificate)
            .set("ssl.key.location", &self.key);
        config
    }

    /// How many partitions it has.
    pub fn partitions(&self, client: &Client<impl ClientContext>) -> i32 {
        let metadata = client.fetch_metadata(Some(&self.name), LONG).expect("the topic");
        i32::try_from(metadata.topics()[0].partitions().len()).expect("small")
    }

    /// Reads all of it and looks at nothing: what the client library can do. How many records there were.
    pub fn consume(&self) -> u64 {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "bench")
            .set("enable.auto.commit", "false")
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.min.messages", "100000")
            .create()
            .expect("a consumer");
        let (mut places, mut left) = (TopicPartitionList::new(), 0);
        for partition in 0..self.partitions(consumer.client()) {
            let (low, high) = consumer.fetch_watermarks(&self.name, partition, LONG).expect("its ends");
            places.add_partition_offset(&self.name, partition, Offset::Beginning).expect("a place");
            left += u64::try_from(high - low).expect("in order");
        }
        consumer.assign(&places).expect("assigned");
        let mut read = 0;
        while read < left {
            consumer.poll(LONG).expect("the next").expect("a record");
            read += 1;
        }
        read
    }
}
