//! How a log is opened, and why it might not open.
use super::storage::{Disk, Storage};
use schemas::clock::{NoEntropy, SharedClock, SharedEntropy};
use std::{io, path::PathBuf, sync::Arc, time::Duration};

/// Longest payload of one append call.
pub(super) const MAX_FRAME_BYTES: u64 = 64 << 20;
/// Largest `segment_bytes`. Together with one group it keeps positions far below 4 GiB, which the index relies on.
pub(super) const MAX_SEGMENT_BYTES: u64 = 1 << 30;
/// Most slots; each costs 16 bytes in the head of every segment.
pub(super) const MAX_SLOTS: u32 = 65_536;

/// How to open an [`EmbeddedLog`](super::EmbeddedLog). [`Options::new`] fills in what most want.
#[derive(Clone)]
pub struct Options {
    /// Where the files are. Created if need be; nothing else may be kept in it.
    pub directory: PathBuf,
    /// How many slots. Fixed when the log is created.
    pub slots: u32,
    /// A segment that has reached this length is closed and the next one begun (default 64 MiB, at most 1 GiB).
    pub segment_bytes: u64,
    /// The next segment's file is laid out ahead, in zeros, once the one before it holds a megabyte: syncs then wait for
    /// their own bytes alone. Costs the disk space of one more segment (default false).
    pub lay_out: bool,
    /// A segment with records older than this is closed at the next append, truncate or maintain call (default 6 h).
    /// Only closed segments can be deleted, so this bounds how long a record outlives its truncation.
    pub segment_age: Duration,
    /// Appends are refused when all segments together would grow beyond this (default 8 GiB).
    pub max_total_bytes: u64,
    /// How much of the newest records stays in memory for readers that follow the end (default 16 MiB).
    pub cache_bytes: usize,
    /// How many appends may wait for the writer before more have to wait outside (default 1024).
    pub queue_appends: usize,
    /// How many bytes may wait for the writer before more have to wait outside (default 32 MiB).
    pub queue_bytes: usize,
    /// Tells how old a segment is.
    pub clock: SharedClock,
    /// Makes the epoch of a new log.
    pub entropy: SharedEntropy,
    /// The file system; tests put in one that fails.
    pub storage: Arc<dyn Storage>,
}

impl Options {
    /// The defaults.
    pub fn new(directory: impl Into<PathBuf>, slots: u32, clock: SharedClock, entropy: SharedEntropy) -> Self {
        Self {
            directory: directory.into(),
            slots,
            segment_bytes: 64 << 20,
            lay_out: false,
            segment_age: Duration::from_secs(6 * 3600),
            max_total_bytes: 8 << 30,
            cache_bytes: 16 << 20,
            queue_appends: 1024,
            queue_bytes: 32 << 20,
            clock,
            entropy,
            storage: Arc::new(Disk),
        }
    }

    pub(super) fn check(&self) -> Result<(), OpenError> {
        let fail = |what| Err(OpenError::Invalid(what));
        match () {
            () if self.slots == 0 || self.slots > MAX_SLOTS => fail("slots must be between 1 and 65536"),
            () if self.segment_bytes > MAX_SEGMENT_BYTES => fail("segment_bytes must not be above 1 GiB"),
            () if self.queue_appends == 0 || self.queue_bytes == 0 => fail("the queue must hold something"),
            () => Ok(()),
        }
    }
}

/// Why the log does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An option makes no sense. Correct the configuration.
    #[error("event log: {0}")]
    Invalid(&'static str),
    /// Another process has it open. Stop the other one first.
    #[error("the event log in {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// It was created with another number of slots, which cannot be changed. Correct the configuration.
    #[error("the event log in {} has {actual} slots, {asked} were asked for; it cannot be changed", .directory.display())]
    Slots {
        /// Where it is.
        directory: PathBuf,
        /// What the options say.
        asked: u32,
        /// What it was created with.
        actual: u32,
    },
    /// A newer version wrote it. Run that version.
    #[error("the event log in {} has format {version}, this build reads {}", .directory.display(), super::format::FORMAT_VERSION)]
    Version {
        /// Where it is.
        directory: PathBuf,
        /// What the file says.
        version: u32,
    },
    /// Acknowledged bytes do not read back. Nothing was changed; restore the file or start a new log.
    #[error("the event log is damaged: {}: {what}", .file.display())]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file system refused something. Try again once that is solved.
    #[error("the event log in {} cannot be opened: {error}", .directory.display())]
    Io {
        /// Where it is.
        directory: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// No epoch could be made.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}
