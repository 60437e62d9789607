//! How far land is behind, and for how long.
use super::stores::slots;
use event_log::{LogError, SharedLog};
use parking_lot::Mutex;
use schemas::{
    clock::SharedClock,
    log::{Offset, Slot},
    time::Millis,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use warehouse::catalog::{Catalog, CatalogError, SqlCatalog};

/// One slot at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotProgress {
    /// Which.
    pub slot: Slot,
    /// Everything below is landed.
    pub committed: Offset,
    /// The log's end.
    pub end: Offset,
}

impl SlotProgress {
    /// Records that are not landed yet.
    pub fn waiting(&self) -> u64 {
        self.end.0.saturating_sub(self.committed.0)
    }
}

/// What could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ProgressError {
    /// See [`CatalogError`].
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// See [`LogError`].
    #[error(transparent)]
    Log(#[from] LogError),
}

/// See the module's documentation.
#[derive(Clone)]
pub struct Progress {
    log: SharedLog,
    catalog: Arc<SqlCatalog>,
    clock: SharedClock,
    /// Since when each slot has waited at the same offset.
    waiting: Arc<Mutex<HashMap<Slot, (Offset, Millis)>>>,
}

impl Progress {
    /// The progress of a log into a catalog.
    pub fn new(log: SharedLog, catalog: Arc<SqlCatalog>, clock: SharedClock) -> Self {
        Self { log, catalog, clock, waiting: Arc::default() }
    }

    /// Looks. What was committed is asked before the log's end, so that nothing seems to be ahead.
    ///
    /// # Errors
    /// [`ProgressError`].
    pub async fn look(&self) -> Result<Vec<SlotProgress>, ProgressError> {
        let snapshots = self.catalog.snapshots().await?;
        let mut found = Vec::with_capacity(snapshots.len());
        for slot in slots(&*self.log) {
            let committed = snapshots.iter().find(|snapshot| snapshot.slot == slot).map_or(Offset(0), |s| s.next);
            found.push(SlotProgress { slot, committed, end: self.log.end(slot).await? });
        }
        self.note(&found);
        Ok(found)
    }

    fn note(&self, found: &[SlotProgress]) {
        let now = self.clock.now();
        let mut waiting = self.waiting.lock();
        for progress in found {
            let since = waiting.entry(progress.slot).or_insert((progress.committed, now));
            if progress.waiting() == 0 || since.0 != progress.committed {
                *since = (progress.committed, now);
            }
        }
    }

    /// How long the slot that waits longest has waited, as far as was looked.
    pub fn age(&self) -> Duration {
        let now = self.clock.now();
        self.waiting.lock().values().map(|(_, since)| now.since(*since)).max().unwrap_or_default()
    }
}
