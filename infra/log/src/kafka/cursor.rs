//! One place in one slot from which records are read on: a consumer that belongs to nobody's group.
//!
//! A consumer of its own for each place, and not one for all: seeking and reading then never meet on one queue, a slot
//! whose reader is slow holds back no other, and librdkafka's own limits are the limits. Queues split off by partition
//! would do with fewer consumers; they stall when an assignment races with the split.
use super::{
    client::{Context, Pace, reading},
    headers,
    options::Options,
};
use crate::LogError;
use futures::{FutureExt, StreamExt};
use rdkafka::{
    Message, TopicPartitionList,
    consumer::{Consumer, StreamConsumer},
    error::{KafkaError as RdError, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use schemas::{
    log::{Offset, Slot},
    record::SealedRecord,
    time::Millis,
};
use std::sync::Arc;

/// A record, and when the brokers appended it.
pub(super) struct Entry {
    pub offset: Offset,
    pub at: Option<Millis>,
    pub record: SealedRecord,
}

/// Why nothing more comes.
pub(super) enum Stop {
    /// The brokers do not have this offset (any more).
    OutOfRange,
    /// See [`LogError`].
    Error(LogError),
}

/// See the module's documentation.
pub(super) struct Cursor {
    consumer: StreamConsumer<Context>,
    topic: Arc<str>,
    slot: Slot,
    /// How it fetches.
    pub pace: Pace,
    /// Where the consumer reads on; `None` when it has to be told.
    position: Option<Offset>,
    /// Read and not given out yet, before `position`.
    held: Option<Entry>,
    run: headers::Run,
}

impl Cursor {
    pub fn open(
        options: &Options,
        context: &Context,
        topic: Arc<str>,
        slot: Slot,
        pace: Pace,
    ) -> Result<Self, LogError> {
        let consumer = reading(options, pace).create_with_context(context.clone());
        let consumer = consumer.map_err(|error| LogError::Unavailable(error.to_string()))?;
        Ok(Self { consumer, topic, slot, pace, position: None, held: None, run: headers::Run::default() })
    }

    /// The offset that comes next.
    pub fn at(&self) -> Option<Offset> {
        self.held.as_ref().map(|entry| entry.offset).or(self.position)
    }

    /// Goes to an offset, if it is not there.
    pub fn go(&mut self, to: Offset) -> Result<(), LogError> {
        if self.at() == Some(to) {
            return Ok(());
        }
        (self.held, self.position) = (None, None);
        let failed = |error: RdError| LogError::Unavailable(error.to_string());
        let mut places = TopicPartitionList::with_capacity(1);
        let partition = i32::try_from(self.slot.0).map_err(|_| LogError::NoSuchSlot(self.slot))?;
        let offset = rdkafka::Offset::Offset(to.as_i64());
        places.add_partition_offset(&self.topic, partition, offset).map_err(failed)?;
        // Not `seek`, which fails while an assignment is not served yet.
        self.consumer.assign(&places).map_err(failed)?;
        self.position = Some(to);
        Ok(())
    }

    /// Completes when the next record is here; it stays for the next read. If the future is dropped, nothing is lost.
    pub async fn peek(&mut self) -> Result<&Entry, Stop> {
        if self.held.is_none() {
            let message = loop {
                let message = self.consumer.recv().await;
                if !is_passing(&message) {
                    break message;
                }
            };
            let entry = entry(message, self.position, &mut self.run);
            self.position = entry.as_ref().ok().map(|entry| entry.offset.next());
            self.held = Some(entry?);
        }
        self.held.as_ref().ok_or(Stop::Error(LogError::Unavailable("nothing came".into())))
    }

    /// Takes what is here already, about `max_bytes` and at least one if there is any.
    pub fn drain(&mut self, max_bytes: usize) -> Result<Vec<Entry>, Stop> {
        let mut entries: Vec<Entry> = self.held.take().into_iter().collect();
        let mut bytes = entries.iter().map(|entry| entry.record.encoded_len()).sum::<usize>();
        let mut stream = self.consumer.stream();
        while entries.is_empty() || bytes < max_bytes {
            let Some(message) = stream.next().now_or_never().flatten() else { break };
            if is_passing(&message) {
                continue;
            }
            match entry(message, self.position, &mut self.run) {
                Ok(entry) => {
                    self.position = Some(entry.offset.next());
                    bytes += entry.record.encoded_len();
                    entries.push(entry);
                }
                Err(stop) => {
                    self.position = None;
                    // What came before is given out; the next read meets the error again.
                    return if entries.is_empty() { Err(stop) } else { Ok(entries) };
                }
            }
        }
        Ok(entries)
    }
}

/// True for troubles of connections, perhaps of an outage that is long over: librdkafka goes on by itself, and whoever
/// waits has a limit for how long.
fn is_passing(message: &Result<BorrowedMessage<'_>, RdError>) -> bool {
    let Err(RdError::MessageConsumption(code)) = message else { return false };
    matches!(
        code,
        RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
    )
}

/// The record of a message, which must be the one that is expected: nothing writes to the topic in transactions and
/// nothing compacts it, so a gap is a mistake of somebody's, and silently reading on would lose records.
fn entry(
    message: Result<BorrowedMessage<'_>, RdError>,
    expected: Option<Offset>,
    run: &mut headers::Run,
) -> Result<Entry, Stop> {
    let message = message.map_err(|error| match error {
        RdError::MessageConsumption(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset) => {
            Stop::OutOfRange
        }
        other => Stop::Error(LogError::Unavailable(other.to_string())),
    })?;
    let offset = Offset::from_i64(message.offset());
    if expected != Some(offset) {
        let expected = expected.unwrap_or_default();
        return Err(Stop::Error(LogError::Unavailable(format!("offset {offset} came in place of {expected}"))));
    }
    let record = headers::record(message.key(), message.headers(), message.payload(), run).map_err(|why| {
        Stop::Error(LogError::Damaged(format!("offset {offset} of slot {}: {why}", message.partition())))
    })?;
    Ok(Entry { offset, at: message.timestamp().to_millis().map(Millis), record })
}
