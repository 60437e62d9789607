//! Values for tests.
use schemas::{
    ids::{DataFileId, EventId, LogEpoch, WorkspaceId},
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table},
    time::Millis,
};
use std::sync::Arc;
use warehouse::catalog::{Catalog, CatalogError, ClaimedId, DataFile, Generation, LandCommit, Lease, Replacement};

/// The log of all tests.
pub const EPOCH: LogEpoch = LogEpoch([7; 16]);
/// The slot of most tests.
pub const SLOT: Slot = Slot(1);
/// How many slots are bound.
pub const SLOTS: u32 = 3;
/// An instant, 2026-11-22T08:15:30Z.
pub const NOW: Millis = Millis(1_795_335_330_000);

/// The n-th id.
fn id(n: u64) -> [u8; 16] {
    let mut id = [0xA5; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    id
}

/// The n-th workspace.
pub fn workspace(n: u64) -> WorkspaceId {
    WorkspaceId(id(n))
}

/// The n-th event id.
pub fn event(n: u64) -> EventId {
    EventId(id(n))
}

/// The n-th data file, of the first workspace, in [`SLOT`].
pub fn file(n: u64) -> DataFile {
    DataFile {
        id: DataFileId(id(n)),
        workspace: workspace(1),
        slot: SLOT,
        table: Table::Events,
        day: PartitionDay::containing(NOW),
        class: RetentionClass::STANDARD,
        rows: n + 1,
        bytes: 1_000 + n,
        sha256: [u8::try_from(n % 251).unwrap_or(0); 32],
        min_at: NOW,
        max_at: NOW,
        min_offset: Offset(n),
        max_offset: Offset(n),
        amendments: 0,
        created_at: NOW,
    }
}

/// A commit of `from..to` with these files and nothing else.
pub fn land(generation: Generation, from: u64, to: u64, add: Vec<DataFile>) -> LandCommit {
    let (from, to) = (Offset(from), Offset(to));
    LandCommit { generation, from, to, add, claimed: Vec::new(), totals: Vec::new(), at: NOW }
}

/// A claimed id from the log's first record.
pub fn claim(workspace: WorkspaceId, event: EventId, at: i64) -> ClaimedId {
    ClaimedId { workspace, event, at: Millis(at), offset: Offset(0) }
}

/// A replacement in [`SLOT`].
pub fn replacement(lease: &Lease, remove: &[DataFile], add: Vec<DataFile>) -> Replacement {
    Replacement {
        lease: lease.clone(),
        slot: SLOT,
        remove: remove.iter().map(|f| f.id).collect(),
        add,
        derived: Vec::new(),
        at: NOW,
    }
}

/// Binds the log and takes [`SLOT`].
pub async fn bound(catalog: &Arc<dyn Catalog>) -> Generation {
    catalog.bind_log(EPOCH, SLOTS).await.expect("bound");
    catalog.take_slot(SLOT, "worker").await.expect("taken")
}

/// Takes a lease that must be free.
pub async fn lease(catalog: &Arc<dyn Catalog>, job: &str) -> Lease {
    let until = Millis(NOW.0 + 60_000);
    catalog.take_lease(job, "holder", NOW, until).await.expect("asked").expect("free")
}

/// Ids, for comparisons that print well.
pub fn ids(files: &[DataFile]) -> Vec<DataFileId> {
    files.iter().map(|f| f.id).collect()
}

/// The offset at which a misplaced commit should have begun.
pub fn misplaced_at<T: std::fmt::Debug>(result: Result<T, CatalogError>) -> u64 {
    match result {
        Err(CatalogError::Misplaced { next, .. }) => next.0,
        other => panic!("not misplaced: {other:?}"),
    }
}
