//! How far each slot reaches: what is known from what was appended and read here, and what the brokers say.
use super::client::{Asker, Context};
use crate::{LogError, reached::Reached};
use rdkafka::{
    error::{KafkaError as RdError, RDKafkaErrorCode},
    producer::Producer,
};
use schemas::log::{Offset, Slot};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};

/// How long an answer of the brokers is good enough for "is there something new?".
const FRESH: Duration = Duration::from_millis(10);

/// First offset that can be read, and the one that the next record gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub start: Offset,
    pub end: Offset,
}

struct SlotEnds {
    /// At least up to here there are durable records.
    known: Reached,
    /// When the brokers were asked last, and what they said. Held while they are asked: one question at a time.
    asked: Mutex<Option<(Instant, Marks)>>,
}

/// See the module's documentation.
pub(super) struct Ends {
    asker: Asker,
    context: Context,
    topic: Arc<str>,
    slots: Vec<SlotEnds>,
    patience: Duration,
}

impl Ends {
    pub fn new(asker: Asker, context: Context, topic: Arc<str>, slots: u32, patience: Duration) -> Arc<Self> {
        let slot = |_| SlotEnds { known: Reached::new(Offset(0)), asked: Mutex::new(None) };
        Arc::new(Self { asker, context, topic, slots: (0..slots).map(slot).collect(), patience })
    }

    fn slot(&self, slot: Slot) -> Result<&SlotEnds, LogError> {
        self.slots.get(slot.0 as usize).ok_or(LogError::NoSuchSlot(slot))
    }

    /// There are durable records below `next`.
    pub fn note(&self, slot: Slot, next: Offset) {
        if let Ok(slot) = self.slot(slot) {
            slot.known.advance(next);
        }
    }

    /// Up to where there are durable records at least.
    pub fn known(&self, slot: Slot) -> Offset {
        self.slot(slot).map_or(Offset(0), |slot| slot.known.next())
    }

    /// Completes once a record at or after `at` is known of.
    pub async fn passed(&self, slot: Slot, at: Offset) -> Result<(), LogError> {
        // Closed it never is.
        let _ = self.slot(slot)?.known.passed(at).await;
        Ok(())
    }

    /// Asks the brokers. An answer to a question that was put after this call began serves as well.
    pub async fn ask(&self, slot: Slot) -> Result<Marks, LogError> {
        self.not_older_than(slot, Instant::now()).await
    }

    /// The end, by an answer of this moment or of one just before, and never behind what is known.
    pub async fn end(&self, slot: Slot) -> Result<Offset, LogError> {
        let now = Instant::now();
        let marks = self.not_older_than(slot, now.checked_sub(FRESH).unwrap_or(now)).await?;
        Ok(marks.end.max(self.known(slot)))
    }

    async fn not_older_than(&self, slot: Slot, instant: Instant) -> Result<Marks, LogError> {
        let mut asked = self.slot(slot)?.asked.lock().await;
        if let Some((at, marks)) = *asked
            && at >= instant
        {
            return Ok(marks);
        }
        let (asker, topic) = (self.asker.clone(), self.topic.clone());
        let (begun, patience) = (Instant::now(), self.patience);
        let partition = i32::try_from(slot.0).map_err(|_| LogError::NoSuchSlot(slot))?;
        let answer = tokio::task::spawn_blocking(move || watermarks(&asker, &topic, partition, patience)).await;
        let (start, end) = answer
            .map_err(|error| LogError::Unavailable(error.to_string()))?
            .map_err(|error| LogError::Unavailable(self.context.explained(&error)))?;
        let marks = Marks { start: Offset::from_i64(start), end: Offset::from_i64(end) };
        *asked = Some((begun, marks));
        self.note(slot, marks.end);
        Ok(marks)
    }
}

/// First and next offset of a partition. Where the last thing heard of the topic was that the partition has no leader or is
/// not there, librdkafka says so again without asking; so it is made to ask.
fn watermarks(asker: &Asker, topic: &str, partition: i32, patience: Duration) -> Result<(i64, i64), RdError> {
    use RDKafkaErrorCode::{
        LeaderNotAvailable, NotLeaderForPartition, UnknownPartition, UnknownTopic, UnknownTopicOrPartition,
    };
    let first = asker.client().fetch_watermarks(topic, partition, patience);
    match first.as_ref().map_err(RdError::rdkafka_error_code) {
        Err(Some(
            LeaderNotAvailable | NotLeaderForPartition | UnknownPartition | UnknownTopic | UnknownTopicOrPartition,
        )) => {
            asker.client().fetch_metadata(Some(topic), patience)?;
            asker.client().fetch_watermarks(topic, partition, patience)
        }
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{Credentials, Options, client::asking};
    use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
    use std::io::Write;

    /// The broker that the tests were given.
    fn given() -> Option<Options> {
        let setting = |name: &str| std::env::var(format!("CHATMAI_TEST_KAFKA_{name}")).ok();
        let topic = format!("test-ends-{}", std::process::id());
        let mut options = Options::new(vec![setting("BROKERS")?.split(',').next()?.to_owned()], topic, setting("CA")?);
        options.credentials =
            Some(Credentials { certificate: setting("CERTIFICATE")?.into(), key: setting("KEY")?.into() });
        Some(options)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_partition_that_was_not_there_when_the_topic_was_looked_at_is_asked_for() {
        let Some(options) = given() else {
            // Not by a macro, which the test harness would catch.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED a partition that was not there: CHATMAI_TEST_KAFKA_BROKERS is not set"
            );
            return;
        };
        let topic = options.topic.as_str();
        let admin: AdminClient<Context> = asking(&options).create_with_context(Context::default()).expect("a client");
        let new = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
        admin.create_topics([&new], &AdminOptions::new()).await.expect("asked")[0].as_ref().expect("made");
        // It would never ask by itself.
        let mut config = asking(&options);
        config.set("topic.metadata.refresh.interval.ms", "-1");
        let asker: Asker = config.create_with_context(Context::default()).expect("a client");
        let ends = Ends::new(asker, Context::default(), topic.into(), 2, options.patience);
        assert_eq!(ends.ask(Slot(0)).await.expect("an answer").end, Offset(0));
        assert!(ends.ask(Slot(1)).await.is_err(), "there is one partition");
        let more = NewPartitions::new(topic, 2);
        admin.create_partitions([&more], &AdminOptions::new()).await.expect("asked")[0].as_ref().expect("made");
        // A new partition has no leader for a moment, on a busy machine for a long one.
        let answered = async {
            while ends.ask(Slot(1)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), answered).await.expect("an answer");
        admin.delete_topics(&[topic], &AdminOptions::new()).await.expect("asked")[0].as_ref().expect("deleted");
    }
}
