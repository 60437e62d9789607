//! When the brokers answer a bare producer of the log's client library that is given so many records a second, on a
//! machine that does nothing else: what the brokers and the library alone make of a webhook's answer there.
//!
//! `infra/bench live` runs it before its demo, on a broker of the same kind, with the variables that `infra/local/kafka`
//! prints: `cargo bench --bench answer -- [SECONDS] [RATE]`. Records have 600 bytes; each waits from when it was due.
#![allow(clippy::expect_used, reason = "a bench that cannot set up has nothing to measure")]
#[allow(dead_code, reason = "the rest is of the bench that shares it")]
#[path = "land/kafka.rs"]
mod kafka;

use rdkafka::{
    ClientContext,
    producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer},
};
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

const RECORD: [u8; 600] = [7; 600];
const STRETCH: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(30);

/// How long each record of the present stretch took.
#[derive(Default)]
struct Took(Mutex<Vec<Duration>>);

impl ClientContext for Took {}

impl ProducerContext for Took {
    /// When the record was due.
    type DeliveryOpaque = Box<Instant>;

    fn delivery(&self, result: &DeliveryResult<'_>, due: Self::DeliveryOpaque) {
        result.as_ref().map_err(|(error, _)| error.clone()).expect("acknowledged");
        self.0.lock().expect("whole").push(due.elapsed());
    }
}

impl Took {
    fn print(&self, until: Duration) {
        let mut took = std::mem::take(&mut *self.0.lock().expect("whole"));
        took.sort_unstable();
        let at = |share: usize| took.get(took.len() * share / 100).map_or(f64::NAN, |t| t.as_secs_f64() * 1e3);
        println!(
            "until {:>3} s: {:>7} answers, p50 {:.1} ms, p99 {:.1} ms",
            until.as_secs(),
            took.len(),
            at(50),
            at(99)
        );
    }
}

fn main() {
    let Some(topic) = kafka::Topic::given() else {
        println!("no brokers in the environment: nothing to measure");
        return;
    };
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let mut number = |default: u64| args.next().and_then(|a| a.parse().ok()).unwrap_or(default);
    let (seconds, rate) = (number(60), number(5000).max(1));
    let mut config = topic.client();
    // What decides in the program's own producer when a record is answered, but for its groups; and room for all that a
    // broker which has just been started does not take at once.
    config.set("enable.idempotence", "true").set("acks", "all").set("compression.type", "none").set("linger.ms", "0.5");
    config.set("batch.size", "1048576").set("queue.buffering.max.messages", "10000000");
    let producer: ThreadedProducer<Took> = config.create_with_context(Took::default()).expect("a producer");
    let partitions = u64::try_from(topic.partitions(producer.client())).expect("some");

    let (begun, mut shown) = (Instant::now(), Duration::ZERO);
    for n in 0..seconds * rate {
        let due = begun + Duration::from_secs_f64(n as f64 / rate as f64);
        while let Some(early) = due.checked_duration_since(Instant::now()).filter(|early| !early.is_zero()) {
            std::thread::sleep(early);
        }
        let partition = i32::try_from(n % partitions).expect("small");
        let record = BaseRecord::with_opaque_to(&topic.name, Box::new(due)).partition(partition);
        let key = u128::from(n % 50).to_be_bytes();
        producer.send(record.key(&key[..]).payload(&RECORD[..])).map_err(|(error, _)| error).expect("room");
        if due - begun >= shown + STRETCH {
            shown += STRETCH;
            producer.context().print(shown);
        }
    }
    producer.flush(LONG).expect("all are answered");
    producer.context().print(begun.elapsed());
}
