//! The event log: sealed records in slots, in order, durable once acknowledged.
//!
//! One narrow trait, [`EventLog`]; [`embedded`] is the single-process one for a laptop or a small shop, [`kafka`] the one
//! for many processes. Both pass the same test suite.
pub mod assignment;
pub mod embedded;
pub mod kafka;
mod reached;

use async_trait::async_trait;
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
    record::SealedRecord,
    time::Millis,
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

/// Where the records of one append lie: each at an offset of its own from `first` on and below `next`, in their order.
/// Between them there may be records of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Appended {
    /// The offset of the first.
    pub first: Offset,
    /// The offset after the last: who has read up to here has read them all.
    pub next: Offset,
}

/// What went wrong, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log cannot take or give records now (disk full, broker away). Of an append nothing was acknowledged, but any of
    /// its records may be in the log: answer 503, try again, and copies are told by their ids.
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

    /// Appends the records to one slot, in their order, and says where they lie once all are durable. An empty list is
    /// durable at once. On an error, or if the future is dropped, any of them may be in the log nonetheless.
    async fn append(&self, slot: Slot, records: Vec<SealedRecord>) -> Result<Appended, LogError>;

    /// Reads from `from` on, about `max_bytes` of records and at least one if there is any. Only durable records are
    /// seen. At the end of the slot the batch is empty and `next == from`.
    async fn read(&self, slot: Slot, from: Offset, max_bytes: usize) -> Result<Batch, LogError>;

    /// Completes once the slot has a durable record at or after `at`.
    async fn wait(&self, slot: Slot, at: Offset) -> Result<(), LogError>;

    /// The first offset that can still be read.
    async fn start(&self, slot: Slot) -> Result<Offset, LogError>;

    /// The offset that the next record will get.
    async fn end(&self, slot: Slot) -> Result<Offset, LogError>;

    /// Lets go of what lies below `below`; some of it, or all, may stay readable. Never called above what the catalog
    /// holds.
    async fn truncate(&self, slot: Slot, below: Offset) -> Result<(), LogError>;

    /// When the record at an offset was appended, by the log's clock. `None` where there is none, or where the log does
    /// not let go of records by their age, so that nobody has to know.
    async fn appended_at(&self, _slot: Slot, _at: Offset) -> Result<Option<Millis>, LogError> {
        Ok(None)
    }

    /// Looks after the log's own files; to be called every few minutes.
    async fn maintain(&self) -> Result<(), LogError> {
        Ok(())
    }

    /// Bytes that the log takes on this machine's disk.
    fn disk_bytes(&self) -> u64 {
        0
    }

    /// Refuses what comes later, and waits for what is under way.
    async fn close(&self) {}
}
