//! What happens between the log and the files: `land` writes event tables and commits them with their offsets,
//! `derive` brings the derived tables up to an offset, `compact`, `expire` and `scrub` keep the store in order. Each is
//! safe to kill at any instant and starts again from the catalog.
pub mod compact;
pub mod derive;
pub mod expire;
pub mod faults;
mod jobs;
pub mod land;
mod lease;
mod metrics;
pub mod scrub;
mod states;

pub use jobs::{Jobs, TransformHandle};

use event_log::SharedLog;
use faults::SharedFaults;
use keys::{KeyError, Keyring};
use schemas::{
    clock::SharedClock,
    ids::WorkspaceId,
    log::{Offset, Slot},
    partition::RetentionClass,
    time::Millis,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use warehouse::{
    catalog::{CatalogError, SharedCatalog, SnapshotNumber},
    duplicates::{DuplicateError, Duplicates},
    file::{ClaimError, FileError, Files},
    registry::Registry,
};

/// How long and how much land waits before it commits.
#[derive(Clone, Debug)]
pub struct LandSettings {
    /// Oldest record that waits.
    pub max_age: Duration,
    /// Most records of one commit.
    pub max_rows: u64,
    /// Most sealed bytes of one commit.
    pub max_bytes: usize,
    /// For how long a worker that was fenced leaves the slot to who fenced it, unless it is assigned anew before. Longer
    /// than it takes a process to learn that its slots are others'; as long as it lasts, a slot stands that was this one's
    /// after all.
    pub yields: Duration,
    /// Files that are written at once.
    pub writers: usize,
    /// Rows of one commit after which they are derived at once: until then every reader folds them itself.
    pub derive_at: u64,
}

impl Default for LandSettings {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(300),
            max_rows: 200_000,
            max_bytes: 128 << 20,
            // Three heartbeats of the group.
            yields: Duration::from_secs(10),
            writers: 2,
            derive_at: 50_000,
        }
    }
}

/// When the jobs run.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// Between two derivations.
    pub derive_interval: Duration,
    /// Between two looks for files to merge.
    pub compact_interval: Duration,
    /// Between two looks for expired days.
    pub expire_interval: Duration,
    /// Between two comparisons of store and catalog.
    pub scrub_interval: Duration,
    /// How long after its end a partition day is settled: late events still come before.
    pub settle_after: Duration,
    /// How old an amendment is at most before it is folded into its message's row.
    pub fold_after: Duration,
    /// How many files of one table and day are merged before the day is settled.
    pub merge_at: usize,
    /// The same for derived states: to derive reads all of a workspace's, and every landing adds one.
    pub merge_states_at: usize,
    /// How old an object that no catalog row names must be before it is removed.
    pub orphan_age: Duration,
    /// In how many days `scrub` reads each object whole once.
    pub verify_days: u16,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            derive_interval: Duration::from_secs(60),
            compact_interval: Duration::from_secs(300),
            expire_interval: Duration::from_secs(3600),
            scrub_interval: Duration::from_secs(24 * 3600),
            settle_after: Duration::from_secs(3600),
            fold_after: Duration::from_secs(24 * 3600),
            merge_at: 16,
            merge_states_at: 4,
            orphan_age: Duration::from_secs(24 * 3600),
            verify_days: 1,
        }
    }
}

/// What the jobs are made of.
pub struct TransformOptions {
    /// Where records come from.
    pub log: SharedLog,
    /// What opens them.
    pub keyring: Keyring,
    /// What says which files exist.
    pub catalog: SharedCatalog,
    /// The files.
    pub files: Files,
    /// The duplicate check.
    pub duplicates: Duplicates,
    /// Who exists.
    pub registry: Registry,
    /// The time.
    pub clock: SharedClock,
    /// A name of this process, for leases.
    pub holder: String,
    /// See [`LandSettings`].
    pub land: LandSettings,
    /// See [`JobSettings`].
    pub jobs: JobSettings,
    /// Where crash tests step in.
    pub faults: SharedFaults,
    /// Called after each commit of a slot.
    pub committed: Arc<dyn Fn(Slot) + Send + Sync>,
}

/// What went wrong, by what the job does next.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// Something does not answer. The same work is tried again.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Somebody newer does this work, or the ground has moved. Stop, and begin again from the catalog.
    #[error("superseded: {0}")]
    Superseded(String),
    /// Somebody newer holds the slot or the job. Stop this run; nothing more of it would be committed.
    #[error("fenced: {0}")]
    Fenced(String),
    /// Stored data does not verify, or offsets are missing. Stop loudly; a person must look.
    #[error("integrity: {0}")]
    Integrity(String),
}

impl From<CatalogError> for TransformError {
    fn from(error: CatalogError) -> Self {
        let text = error.to_string();
        match error {
            CatalogError::Unavailable(_) => Self::Unavailable(text),
            CatalogError::Fenced(_) => Self::Fenced(text),
            CatalogError::Misplaced { .. } | CatalogError::NotLive(_) => Self::Superseded(text),
            CatalogError::Damaged(_) => Self::Integrity(text),
        }
    }
}

impl From<FileError> for TransformError {
    fn from(error: FileError) -> Self {
        let text = error.to_string();
        match error {
            FileError::Unavailable(_) => Self::Unavailable(text),
            // A file that a plan named is gone or dark: it was replaced or expired meanwhile.
            FileError::Gone(_) | FileError::KeyDestroyed(_) => Self::Superseded(text),
            FileError::Integrity { .. } | FileError::ForeignFile(_) => Self::Integrity(text),
        }
    }
}

impl From<ClaimError> for TransformError {
    fn from(error: ClaimError) -> Self {
        let text = error.to_string();
        match error {
            ClaimError::Unavailable(_) => Self::Unavailable(text),
            ClaimError::Foreign { .. } => Self::Integrity(text),
        }
    }
}

impl From<DuplicateError> for TransformError {
    fn from(error: DuplicateError) -> Self {
        match error {
            DuplicateError::File(error) => error.into(),
            DuplicateError::Catalog(error) => error.into(),
        }
    }
}

impl From<KeyError> for TransformError {
    fn from(error: KeyError) -> Self {
        match error.class() {
            keys::KeyErrorClass::Retry => Self::Unavailable(error.to_string()),
            keys::KeyErrorClass::Destroyed => Self::Superseded(error.to_string()),
            keys::KeyErrorClass::Integrity => Self::Integrity(error.to_string()),
        }
    }
}

impl From<arrow::error::ArrowError> for TransformError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Integrity(format!("columns: {error}"))
    }
}

impl From<schemas::columns::ColumnError> for TransformError {
    fn from(error: schemas::columns::ColumnError) -> Self {
        Self::Integrity(error.to_string())
    }
}

/// What every job works with.
pub(crate) struct Shared {
    pub log: SharedLog,
    pub keyring: Keyring,
    pub catalog: SharedCatalog,
    pub files: Files,
    pub duplicates: Duplicates,
    pub registry: Registry,
    pub clock: SharedClock,
    pub holder: String,
    pub land: LandSettings,
    pub jobs: JobSettings,
    pub faults: SharedFaults,
    pub committed: Arc<dyn Fn(Slot) + Send + Sync>,
    pub metrics: metrics::Metrics,
    pub memory: Memory,
}

/// What jobs remember between runs; lost at a restart, which only costs work.
#[derive(Default)]
pub(crate) struct Memory {
    /// One run of each job at a time in this process: a lease does not tell two runs of one holder apart.
    pub deriving: tokio::sync::Mutex<()>,
    /// See `deriving`.
    pub compacting: tokio::sync::Mutex<()>,
    /// See `deriving`.
    pub expiring: tokio::sync::Mutex<()>,
    /// The snapshot of a slot up to which everything that was landed is derived.
    pub derived: parking_lot::Mutex<HashMap<Slot, SnapshotNumber>>,
    /// Woken when much was landed that is not derived.
    pub much_landed: tokio::sync::Notify,
    /// When the states of a workspace were last cleared of superseded ones.
    pub cleared: parking_lot::Mutex<HashMap<WorkspaceId, Millis>>,
    /// Up to which offset the messages of a workspace's open amendments were looked for.
    pub searched: parking_lot::Mutex<HashMap<WorkspaceId, Offset>>,
}

/// The errors of single workspaces: the others go on, and the first error is told at the end.
#[derive(Default)]
pub(crate) struct Faults {
    first: Option<TransformError>,
    unavailable: u32,
}

/// Workspaces for which something did not answer, until a run ends: one bad object must not stop the others, and a store
/// that is away must not be asked for thousands of them.
const UNAVAILABLE: u32 = 8;

impl Faults {
    /// Takes a workspace's error; gives it back when going on makes no sense.
    pub fn take(
        &mut self,
        job: &'static str,
        workspace: WorkspaceId,
        error: TransformError,
    ) -> Result<(), TransformError> {
        match error {
            // Files moved under our hands, or a day expired: the next run plans again.
            TransformError::Superseded(why) => {
                tracing::info!(job, %workspace, why, "left for the next run");
                Ok(())
            }
            TransformError::Integrity(_) => {
                tracing::error!(job, %workspace, %error, "a workspace fails");
                self.first.get_or_insert(error);
                Ok(())
            }
            TransformError::Unavailable(_) if self.unavailable < UNAVAILABLE => {
                tracing::warn!(job, %workspace, %error, "left for the next run");
                self.unavailable += 1;
                self.first.get_or_insert(error);
                Ok(())
            }
            TransformError::Unavailable(_) | TransformError::Fenced(_) => Err(error),
        }
    }

    /// The first error, if there was one.
    pub fn end(self) -> Result<(), TransformError> {
        self.first.map_or(Ok(()), Err)
    }
}

impl Shared {
    /// A workspace's own retention setting; the longest for one that is not known any more.
    pub fn retention_days(&self, workspace: WorkspaceId) -> u16 {
        let view = self.registry.view();
        view.workspaces.get(&workspace).map_or(RetentionClass::STANDARD.0, |w| w.retention_days)
    }
}
