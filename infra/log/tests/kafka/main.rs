//! The log on Kafka: the suite of all logs, and what only a broker can be asked. Against the broker that
//! `CHATMAI_TEST_KAFKA_BROKERS` and its companions name (`infra/local/kafka start` prints them); without one, each test
//! says that it is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod appends;
mod faults;
mod groups;
mod readers;
mod refusals;
#[path = "../suite/mod.rs"]
mod suite;
mod support;

use async_trait::async_trait;
use event_log::SharedLog;
use suite::Fixture;
use support::Broker;

/// Logs on topics of their own.
struct Kafka {
    broker: Broker,
    topic: String,
}

impl Kafka {
    fn new() -> Option<Self> {
        Some(Self { broker: Broker::given()?, topic: String::new() })
    }
}

#[async_trait]
impl Fixture for Kafka {
    async fn create(&mut self, slots: u32) -> SharedLog {
        self.topic = self.broker.topic(slots).await;
        self.broker.open(&self.topic).await
    }

    async fn reopen(&mut self, old: SharedLog) -> SharedLog {
        drop(old);
        self.broker.open(&self.topic).await
    }
}

mod on_a_broker {
    crate::event_log_suite!(crate::Kafka::new());
}
