//! The event log on Apache Kafka: one topic, slot n is its partition n, for many processes at once.
//!
//! Everything that touches rdkafka is in this module and those below it, each trap beside the code that steps around it.
//! The crate's README says what is promised, and how.
mod client;
mod cursor;
mod ends;
mod group;
mod headers;
mod identity;
mod options;
mod produce;
mod read;
mod topic;

pub use group::Group;
pub use options::{Credentials, KafkaError, Options, Sasl};

use crate::{Appended, Batch, EventLog, LogError};
use async_trait::async_trait;
use client::{Asker, Context, asking};
use ends::Ends;
use produce::Producer;
use read::Reader;
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
    record::SealedRecord,
    time::Millis,
};
use std::{sync::Arc, time::Duration};

/// How long each question at the start may take at least: brokers that have just been started are slow.
const QUESTION: Duration = Duration::from_secs(20);

/// See the module's documentation.
pub struct KafkaLog {
    epoch: LogEpoch,
    slots: u32,
    ends: Arc<Ends>,
    producer: Producer,
    readers: Vec<Reader>,
}

impl KafkaLog {
    /// Connects, and checks that the topic is one that may hold records.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub async fn open(options: Options) -> Result<Arc<Self>, KafkaError> {
        options.check()?;
        let context = Context::default();
        let asker: Asker = asking(&options)
            .create_with_context(context.clone())
            .map_err(|error| KafkaError::Refused(error.to_string()))?;
        let found = topic::look(&options, &context, &asker).await?;
        let topic: Arc<str> = options.topic.as_str().into();
        let ends = Ends::new(asker, context.clone(), topic.clone(), found.partitions, options.patience);
        let readers = (0..found.partitions)
            .map(|slot| Reader::new(&options, &context, topic.clone(), Slot(slot), ends.clone()))
            .collect();
        let producer = Producer::new(&options, context, topic, ends.clone(), found.partitions)?;
        tracing::info!(topic = options.topic, slots = found.partitions, epoch = %found.epoch, "the event log is on Kafka");
        Ok(Arc::new(Self { epoch: found.epoch, slots: found.partitions, ends, producer, readers }))
    }

    fn reader(&self, slot: Slot) -> Result<&Reader, LogError> {
        self.readers.get(slot.0 as usize).ok_or(LogError::NoSuchSlot(slot))
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    fn epoch(&self) -> LogEpoch {
        self.epoch
    }

    fn slots(&self) -> u32 {
        self.slots
    }

    async fn append(&self, slot: Slot, records: Vec<SealedRecord>) -> Result<Appended, LogError> {
        self.reader(slot)?;
        if records.is_empty() {
            let end = self.end(slot).await?;
            return Ok(Appended { first: end, next: end });
        }
        self.producer.append(slot, records).await
    }

    async fn read(&self, slot: Slot, from: Offset, max_bytes: usize) -> Result<Batch, LogError> {
        self.reader(slot)?.read(from, max_bytes).await
    }

    async fn wait(&self, slot: Slot, at: Offset) -> Result<(), LogError> {
        self.reader(slot)?.wait(at).await
    }

    async fn start(&self, slot: Slot) -> Result<Offset, LogError> {
        self.reader(slot)?;
        Ok(self.ends.ask(slot).await?.start)
    }

    async fn end(&self, slot: Slot) -> Result<Offset, LogError> {
        self.reader(slot)?;
        self.ends.end(slot).await
    }

    /// Kafka lets go of records by age, `retention.ms` of the topic: a process cannot know what others still read.
    async fn truncate(&self, slot: Slot, _below: Offset) -> Result<(), LogError> {
        self.reader(slot).map(drop)
    }

    async fn appended_at(&self, slot: Slot, at: Offset) -> Result<Option<Millis>, LogError> {
        self.reader(slot)?.appended_at(at).await
    }

    async fn close(&self) {
        self.producer.close().await;
        self.readers.iter().for_each(Reader::close);
    }
}
