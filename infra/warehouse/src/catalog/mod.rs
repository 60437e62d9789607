//! The catalog: data files, snapshots, offsets, totals and leases, in one SQL database, behind a dozen verbs.
//!
//! A snapshot is a numbered state of one slot. Every change of a slot's files happens in a transaction that takes the
//! next number; a file is visible in snapshot `n` when `created <= n < removed`. So a reader that pinned `n` sees the
//! same files whatever happens later, and files are deleted from the store only after the reader grace.
pub mod progress;
pub(crate) mod sql;

pub use sql::{SqlCatalog, SqlCatalogOptions};

use async_trait::async_trait;
use schemas::{
    ids::{DataFileId, EventId, LogEpoch, WorkspaceId},
    kind::IgnoredReason,
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table},
    time::Millis,
};
use std::sync::Arc;

/// A catalog, shared.
pub type SharedCatalog = Arc<dyn Catalog>;

/// The number of a slot's state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SnapshotNumber(pub u64);

/// A state of one slot: its files are those visible at `number`; the tail begins at `next`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Of which slot.
    pub slot: Slot,
    /// Of which log.
    pub epoch: LogEpoch,
    /// Its number.
    pub number: SnapshotNumber,
    /// Everything below this offset has been landed.
    pub next: Offset,
}

/// The right to commit offsets of a slot; a newer generation makes it stale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Generation {
    /// Of which slot.
    pub slot: Slot,
    /// Its number.
    pub number: u64,
}

/// The right to run a job; one holder at a time, and a newer holder makes it stale.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The job, e.g. `derive/3` or `expire`.
    pub job: String,
    /// Its number.
    pub number: u64,
}

/// A data file as the catalog knows it. No minimum or maximum of content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataFile {
    /// Its id, also its name.
    pub id: DataFileId,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// That workspace's slot.
    pub slot: Slot,
    /// Which table.
    pub table: Table,
    /// Which partition day.
    pub day: PartitionDay,
    /// Which retention class.
    pub class: RetentionClass,
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Earliest and latest event time in it (receive time for dead letters, newest activity for conversations).
    pub min_at: Millis,
    /// See `min_at`.
    pub max_at: Millis,
    /// Smallest and greatest log offset (or version) in it.
    pub min_offset: Offset,
    /// See `min_offset`.
    pub max_offset: Offset,
    /// Amendments in it that are not folded into their messages yet.
    pub amendments: u64,
    /// When it was written.
    pub created_at: Millis,
}

/// The live files of one workspace, table, day and class, where `compact` may have work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crowd {
    /// Whose they are.
    pub workspace: WorkspaceId,
    /// Of which table.
    pub table: Table,
    /// Of which day.
    pub day: PartitionDay,
    /// Of which class.
    pub class: RetentionClass,
    /// How many.
    pub files: u64,
    /// How many of them hold amendments that are not folded.
    pub amending: u64,
}

/// How an event ended, for the totals. `accepted` is the sum of all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// In table `events`.
    Committed,
    /// Dropped as a copy.
    Duplicate,
    /// In table `dead_letters`.
    DeadLettered,
    /// Only counted.
    Ignored(IgnoredReason),
    /// The log let go of it before it was landed, and an operator said to go on without it. Nobody knows whose it was.
    Lost,
}

/// An event whose claimed time was not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClaimedId {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Its id.
    pub event: EventId,
    /// The event time that it was given.
    pub at: Millis,
    /// Its place in the log.
    pub offset: Offset,
}

/// One land commit: files and offsets together.
#[derive(Clone, Debug)]
pub struct LandCommit {
    /// The worker's right to the slot.
    pub generation: Generation,
    /// Where the batch begins: must be the slot's next offset.
    pub from: Offset,
    /// Where it ends (exclusive).
    pub to: Offset,
    /// The files written from it.
    pub add: Vec<DataFile>,
    /// Ids of events whose claimed time was not believed: asked by every duplicate check.
    pub claimed: Vec<ClaimedId>,
    /// What became of the records; adds up to `to - from`.
    pub totals: Vec<(WorkspaceId, Outcome, u64)>,
    /// The commit's instant.
    pub at: Millis,
}

/// A job's commit: some files replaced by others, in one slot.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The job's right.
    pub lease: Lease,
    /// Which slot.
    pub slot: Slot,
    /// Files that go; each must be live.
    pub remove: Vec<DataFileId>,
    /// Files that come.
    pub add: Vec<DataFile>,
    /// Workspaces whose derived tables are now folded up to an offset.
    pub derived: Vec<(WorkspaceId, Offset)>,
    /// The commit's instant.
    pub at: Millis,
}

/// What went wrong, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The database does not answer or is locked. Nothing is known to have been committed: ask, then try again.
    #[error("the catalog is unavailable: {0}")]
    Unavailable(String),
    /// Somebody newer holds the slot or the job. Stop; what was written is garbage.
    #[error("a newer worker holds {0}")]
    Fenced(String),
    /// The commit does not begin where the slot ends. Somebody else committed it, or offsets are missing. Stop, look again.
    #[error("slot {slot} continues at {next}, not at {from}")]
    Misplaced {
        /// Which slot.
        slot: Slot,
        /// Where it continues.
        next: Offset,
        /// Where the commit began.
        from: Offset,
    },
    /// A file to be replaced is not live any more. Plan again.
    #[error("data file {0} is not live any more")]
    NotLive(DataFileId),
    /// The database belongs to a newer version, or its content does not read. Stop.
    #[error("the catalog does not read: {0}")]
    Damaged(String),
}

/// The catalog's verbs. Each is one transaction.
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// Makes the slots at first use and binds them to the log's epoch. Fails as damaged when another log or another
    /// number of slots is bound.
    async fn bind_log(&self, epoch: LogEpoch, slots: u32) -> Result<(), CatalogError>;

    /// Takes a slot: the next generation. Older ones can no longer commit.
    async fn take_slot(&self, slot: Slot, owner: &str) -> Result<Generation, CatalogError>;

    /// Takes a job's lease, if it is free, expired or already this holder's; `None` when another holds it until later.
    /// A holder that takes its own lease again renews it under the same number. So a holder's name is that of one run
    /// of one process: two that use the same name would not fence each other.
    async fn take_lease(
        &self,
        job: &str,
        holder: &str,
        now: Millis,
        until: Millis,
    ) -> Result<Option<Lease>, CatalogError>;

    /// The newest snapshot of a slot.
    async fn snapshot(&self, slot: Slot) -> Result<Snapshot, CatalogError>;

    /// The newest snapshot of every slot.
    async fn snapshots(&self) -> Result<Vec<Snapshot>, CatalogError>;

    /// Commits files and offsets of one land batch, or nothing.
    ///
    /// After `Unavailable`, or when the call was given up, it may have been committed all the same: the answer may be
    /// what was lost. The caller asks for [`Self::snapshot`]: with `next == commit.from` nothing was committed, and the
    /// commit may be sent again as it is; otherwise somebody moved the slot. Sending it again is always safe and tells
    /// who: `Misplaced` says that the generation still holds, so the move was this commit; after `Fenced` nobody can
    /// tell, and the files are left to `scrub`.
    async fn commit_land(&self, commit: LandCommit) -> Result<Snapshot, CatalogError>;

    /// Commits a replacement, or nothing. With the lease's number still the newest it is good even after `until`. When
    /// the answer was lost, sending it again is safe if it removes files: `NotLive` then says that it was committed.
    async fn replace(&self, replacement: Replacement) -> Result<Snapshot, CatalogError>;

    /// The files of a workspace that are visible in a snapshot, any table, by table, day, min offset.
    async fn files(&self, workspace: WorkspaceId, snapshot: Snapshot) -> Result<Vec<DataFile>, CatalogError>;

    /// All live files of a slot: many. For who begins anew, and for `scrub`; jobs ask for what they look for.
    async fn live_files(&self, slot: Slot) -> Result<Vec<DataFile>, CatalogError>;

    /// The workspaces that have live files of table `events` which came after a snapshot and reach the offset up to which
    /// the workspace is derived, each with that offset.
    async fn underived(&self, slot: Slot, since: SnapshotNumber) -> Result<Vec<(WorkspaceId, Offset)>, CatalogError>;

    /// The days that have more than one live file, or open amendments; by workspace, table, day and class.
    async fn crowded(&self, slot: Slot) -> Result<Vec<Crowd>, CatalogError>;

    /// The oldest day of each workspace and class that has live files.
    async fn oldest(&self, slot: Slot) -> Result<Vec<(WorkspaceId, RetentionClass, PartitionDay)>, CatalogError>;

    /// Up to which offset each workspace of a slot is derived; workspaces that never were are missing.
    async fn derived(&self, slot: Slot) -> Result<Vec<(WorkspaceId, Offset)>, CatalogError>;

    /// Which of the ids, in order, are known as ones whose claimed time was not believed, from records before `next`:
    /// a reader on an older snapshot must not take an event for its own copy.
    async fn claimed(
        &self,
        workspace: WorkspaceId,
        ids: &[EventId],
        next: Offset,
    ) -> Result<Vec<EventId>, CatalogError>;

    /// The workspaces that have any claimed id; few.
    async fn claimed_workspaces(&self) -> Result<Vec<WorkspaceId>, CatalogError>;

    /// Forgets claimed ids of event times before an instant.
    async fn forget_claimed(&self, workspace: WorkspaceId, before: Millis) -> Result<(), CatalogError>;

    /// Files that were removed from snapshots before an instant: their objects may go.
    async fn removed_before(&self, before: Millis, limit: usize) -> Result<Vec<DataFile>, CatalogError>;

    /// Forgets removed files whose objects are gone. Live ones and unknown ones are left alone.
    async fn forget_files(&self, ids: &[DataFileId]) -> Result<(), CatalogError>;

    /// Every file row, live or removed, with its id only; for `scrub`.
    async fn known_files(&self) -> Result<Vec<(WorkspaceId, DataFileId, bool /* live */)>, CatalogError>;

    /// The totals since the catalog was made, over all workspaces and by workspace.
    async fn totals(&self) -> Result<Vec<(WorkspaceId, Outcome, u64)>, CatalogError>;

    /// Answers when the database does; for readiness.
    async fn ping(&self) -> Result<(), CatalogError>;
}
