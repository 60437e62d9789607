//! The event log: sealed records in slots, in order, durable once acknowledged.
//!
//! One narrow trait, [`EventLog`]; [`embedded`] is the single-process one for a laptop or a small shop. Kafka stands
//! behind the same trait and the same test suite.
pub mod embedded;

use async_trait::async_trait;
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
    record::SealedRecord,
};
use std::sync::Arc;

/// A log, shared.
pub type SharedLog = Arc<dyn EventLog>;

/// Records read from one slot, in order.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Each with its offset, ascending.
    pub records: Vec<(Offset, SealedRecord)>,
    /// Where to read on. Beyond the last record where offsets hold none.
    pub next: Offset,
}

/// What went wrong, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log cannot take records now (disk full, broker away); nothing of the call was appended. Answer 503, try again.
    #[error("the event log takes no records now: {0}")]
    Unavailable(String),
    /// The records asked for were truncated away; `start` is the first that is left. Stop: it is a gap.
    #[error("offset {asked} of slot {slot} is gone, the log starts at {start}")]
    Gone {
        /// The slot that was read.
        slot: Slot,
        /// Where reading was to begin.
        asked: Offset,
        /// The first offset that can be read.
        start: Offset,
    },
    /// No such slot. A bug or a log of another size. Stop.
    #[error("the event log has no slot {0}")]
    NoSuchSlot(Slot),
    /// Acknowledged bytes do not read back. Stop.
    #[error("the event log is damaged: {0}")]
    Damaged(String),
}

/// See the crate's documentation. Implementations are cheap to share and safe to call at once.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// This incarnation of the log.
    fn epoch(&self) -> LogEpoch;

    /// How many slots it has; fixed for its life.
    fn slots(&self) -> u32;

    /// Appends the records to one slot, all or none, next to each other, and returns the offset of the first once
    /// they are durable. An empty list is durable at once. If the future is dropped, they may or may not be appended.
    async fn append(&self, slot: Slot, records: Vec<SealedRecord>) -> Result<Offset, LogError>;

    /// Reads from `from` on, about `max_bytes` of records and at least one if there is any. Only durable records are
    /// seen. At the end of the slot the batch is empty and `next == from`.
    async fn read(&self, slot: Slot, from: Offset, max_bytes: usize) -> Result<Batch, LogError>;

    /// Completes once the slot has a durable record at or after `at`.
    async fn wait(&self, slot: Slot, at: Offset) -> Result<(), LogError>;

    /// The first offset that can still be read.
    async fn start(&self, slot: Slot) -> Result<Offset, LogError>;

    /// The offset that the next record will get.
    async fn end(&self, slot: Slot) -> Result<Offset, LogError>;

    /// Lets go of what lies below `below`; some of it may stay readable. Never called above what the catalog holds.
    async fn truncate(&self, slot: Slot, below: Offset) -> Result<(), LogError>;
}
