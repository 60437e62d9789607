//! The catalog in SQL.
//!
//! All statements are portable (`$1` placeholders, BIGINT and TEXT, `ON CONFLICT`); what differs between databases is
//! in [`dialect`]. Transactions do not lean on SQLite's single writer: each begins with an `UPDATE` of the row that
//! guards it (the slot, the lease, the registry's version), which is a lock where there are many writers.
//!
//! One module per group of verbs; each function is one transaction.
mod bulk;
mod claimed;
mod database;
mod dialect;
mod error;
mod files;
mod land;
mod leases;
mod migrations;
mod replace;
mod rows;
mod slots;
mod totals;
mod work;

pub(crate) use database::{Database, Write};
pub(crate) use error::is_unique_violation;
pub(crate) use rows::{bytes, slot, small};

use super::{
    Catalog, CatalogError, Crowd, DataFile, Generation, LandCommit, Lease, Outcome, Replacement, Snapshot,
    SnapshotNumber,
};
use ::database::Address;
use async_trait::async_trait;
use schemas::{
    clock::SharedClock,
    ids::{DataFileId, EventId, LogEpoch, WorkspaceId},
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass},
    time::Millis,
};

use std::sync::Arc;

/// What [`SqlCatalog`] is made of.
pub struct SqlCatalogOptions {
    /// Where it is: a database of its own.
    pub database: Address,
    /// The time.
    pub clock: SharedClock,
}

/// See [`Catalog`]. Any number of processes may have the same database open.
#[derive(Debug)]
pub struct SqlCatalog {
    database: Database,
}

impl SqlCatalog {
    /// Opens the database, makes SQLite's file if it is missing, and brings the tables up to date.
    ///
    /// # Errors
    /// [`CatalogError::Damaged`] when it belongs to a newer version or is no database, [`CatalogError::Unavailable`]
    /// when it cannot be opened.
    pub async fn open(options: SqlCatalogOptions) -> Result<Arc<Self>, CatalogError> {
        let database = Database::open(&options.database, &options.clock).await?;
        Ok(Arc::new(Self { database }))
    }

    /// The database, for the registry, which lies in the same one.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

#[async_trait]
impl Catalog for SqlCatalog {
    async fn bind_log(&self, epoch: LogEpoch, slots: u32) -> Result<(), CatalogError> {
        slots::bind_log(&self.database, epoch, slots).await
    }

    async fn take_slot(&self, slot: Slot, owner: &str) -> Result<Generation, CatalogError> {
        slots::take(&self.database, slot, owner).await
    }

    async fn take_lease(
        &self,
        job: &str,
        holder: &str,
        now: Millis,
        until: Millis,
    ) -> Result<Option<Lease>, CatalogError> {
        leases::take(&self.database, job, holder, now, until).await
    }

    async fn snapshot(&self, slot: Slot) -> Result<Snapshot, CatalogError> {
        slots::snapshot(&self.database, slot).await
    }

    async fn snapshots(&self) -> Result<Vec<Snapshot>, CatalogError> {
        slots::snapshots(&self.database).await
    }

    async fn commit_land(&self, commit: LandCommit) -> Result<Snapshot, CatalogError> {
        land::commit(&self.database, commit).await
    }

    async fn replace(&self, replacement: Replacement) -> Result<Snapshot, CatalogError> {
        replace::commit(&self.database, replacement).await
    }

    async fn files(&self, workspace: WorkspaceId, snapshot: Snapshot) -> Result<Vec<DataFile>, CatalogError> {
        files::visible(&self.database, workspace, snapshot).await
    }

    async fn live_files(&self, slot: Slot) -> Result<Vec<DataFile>, CatalogError> {
        files::live(&self.database, slot).await
    }

    async fn underived(&self, slot: Slot, since: SnapshotNumber) -> Result<Vec<(WorkspaceId, Offset)>, CatalogError> {
        work::underived(&self.database, slot, since).await
    }

    async fn crowded(&self, slot: Slot) -> Result<Vec<Crowd>, CatalogError> {
        work::crowded(&self.database, slot).await
    }

    async fn oldest(&self, slot: Slot) -> Result<Vec<(WorkspaceId, RetentionClass, PartitionDay)>, CatalogError> {
        work::oldest(&self.database, slot).await
    }

    async fn derived(&self, slot: Slot) -> Result<Vec<(WorkspaceId, Offset)>, CatalogError> {
        slots::derived(&self.database, slot).await
    }

    async fn claimed(
        &self,
        workspace: WorkspaceId,
        ids: &[EventId],
        next: Offset,
    ) -> Result<Vec<EventId>, CatalogError> {
        claimed::known(&self.database, workspace, ids, next).await
    }

    async fn claimed_workspaces(&self) -> Result<Vec<WorkspaceId>, CatalogError> {
        claimed::workspaces(&self.database).await
    }

    async fn forget_claimed(&self, workspace: WorkspaceId, before: Millis) -> Result<(), CatalogError> {
        claimed::forget(&self.database, workspace, before).await
    }

    async fn removed_before(&self, before: Millis, limit: usize) -> Result<Vec<DataFile>, CatalogError> {
        files::removed_before(&self.database, before, limit).await
    }

    async fn forget_files(&self, ids: &[DataFileId]) -> Result<(), CatalogError> {
        files::forget(&self.database, ids).await
    }

    async fn known_files(&self) -> Result<Vec<(WorkspaceId, DataFileId, bool)>, CatalogError> {
        files::known(&self.database).await
    }

    async fn totals(&self) -> Result<Vec<(WorkspaceId, Outcome, u64)>, CatalogError> {
        totals::all(&self.database).await
    }

    async fn ping(&self) -> Result<(), CatalogError> {
        sqlx::query("SELECT version FROM format_version").fetch_one(self.database.read()).await?;
        Ok(())
    }
}
