//! How far land is behind, and for how long.
use super::{brake::Brake, stores::slots};
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
    waiting: Arc<Mutex<HashMap<Slot, Waiting>>>,
    brake: Brake,
}

/// How long a slot has waited.
#[derive(Clone, Copy)]
struct Waiting {
    /// At the same offset, as this process has seen it.
    at: Offset,
    since: Millis,
    /// When it was looked at last.
    looked: Millis,
    /// When the log was asked how long the oldest waiting record has really waited, and what it said.
    asked: Option<Millis>,
    proven: Duration,
}

impl Waiting {
    /// What waits grows older also while nobody can say how far land is.
    fn age(&self, now: Millis) -> Duration {
        now.since(self.since).max(self.proven + now.since(self.looked))
    }
}

/// How often the log is asked since when a slot has waited. A process that is started again and again would think each
/// time that the waiting has just begun; and where land goes on but does not keep up, no offset waits for long.
const DOUBT: Duration = Duration::from_secs(60);

impl Progress {
    /// The progress of a log into a catalog.
    pub fn new(log: SharedLog, catalog: Arc<SqlCatalog>, clock: SharedClock) -> Self {
        Self { log, catalog, clock, waiting: Arc::default(), brake: Brake::default() }
    }

    /// Looks. What was committed is asked before the log's end, so that nothing seems to be ahead.
    ///
    /// # Errors
    /// [`ProgressError`].
    pub async fn look(&self) -> Result<Vec<SlotProgress>, ProgressError> {
        let found = self.ask().await;
        self.judge(&found);
        found
    }

    /// Without the catalog nothing can be landed either. A slot that does not answer takes no more records, and is no
    /// reason to refuse those of others.
    fn judge(&self, found: &Result<Vec<SlotProgress>, ProgressError>) {
        if !matches!(found, Err(ProgressError::Log(_))) {
            self.brake.behind(self.age());
        }
    }

    async fn ask(&self) -> Result<Vec<SlotProgress>, ProgressError> {
        let snapshots = self.catalog.snapshots().await?;
        let mut found = Vec::with_capacity(snapshots.len());
        for slot in slots(&*self.log) {
            let committed = snapshots.iter().find(|snapshot| snapshot.slot == slot).map_or(Offset(0), |s| s.next);
            found.push(SlotProgress { slot, committed, end: self.log.end(slot).await? });
        }
        for progress in self.note(&found) {
            // What does not answer is asked again at the next look.
            let Ok(appended) = self.log.appended_at(progress.slot, progress.committed).await else { continue };
            let now = self.clock.now();
            if let Some(known) = self.waiting.lock().get_mut(&progress.slot) {
                known.asked = Some(now);
                known.proven = appended.map_or(Duration::ZERO, |appended| now.since(appended));
            }
        }
        Ok(found)
    }

    /// Pulled while the slot that waits longest has waited too long.
    pub fn brake(&self) -> &Brake {
        &self.brake
    }

    /// Notes what waits; returns the slots that may have waited longer than this process knows.
    fn note(&self, found: &[SlotProgress]) -> Vec<SlotProgress> {
        let now = self.clock.now();
        let mut waiting = self.waiting.lock();
        let mut doubtful = Vec::new();
        for progress in found {
            let new = Waiting { at: progress.committed, since: now, looked: now, asked: None, proven: Duration::ZERO };
            let known = waiting.entry(progress.slot).or_insert(new);
            known.looked = now;
            if progress.waiting() == 0 {
                known.proven = Duration::ZERO;
            }
            if progress.waiting() == 0 || known.at != progress.committed {
                (known.at, known.since) = (progress.committed, now);
            }
            if progress.waiting() > 0 && known.asked.is_none_or(|asked| now.since(asked) > DOUBT) {
                doubtful.push(*progress);
            }
        }
        doubtful
    }

    /// How long the slot that waits longest has waited, as far as was looked.
    pub fn age(&self) -> Duration {
        let now = self.clock.now();
        self.waiting.lock().values().map(|waiting| waiting.age(now)).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_log::embedded::{EmbeddedLog, Options};
    use schemas::clock::{ManualClock, SystemEntropy};
    use warehouse::catalog::SqlCatalogOptions;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn what_waits_grows_older_also_while_the_catalog_is_away() {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Millis(1_700_000_000_000));
        let options = Options::new(directory.path().join("log"), 1, clock.clone(), Arc::new(SystemEntropy));
        let log: SharedLog = EmbeddedLog::open(options).unwrap();
        let database = directory.path().join("catalog.db").into();
        let catalog = SqlCatalog::open(SqlCatalogOptions { database, clock: clock.clone() }).await.unwrap();
        catalog.bind_log(log.epoch(), log.slots()).await.unwrap();
        let progress = Progress::new(log.clone(), catalog, clock.clone());
        let braked = progress.brake().on(log);
        let is_taken = async || braked.append(Slot(0), Vec::new()).await.is_ok();
        progress.look().await.unwrap();
        // Land goes on, a steady 50 h behind.
        progress.waiting.lock().get_mut(&Slot(0)).unwrap().proven = 50 * HOUR;
        clock.advance(9 * HOUR);
        progress.judge(&Err(CatalogError::Unavailable("away".into()).into()));
        assert!(is_taken().await);
        clock.advance(2 * HOUR);
        progress.judge(&Err(LogError::Unavailable("one slot has no leader".into()).into()));
        assert!(is_taken().await);
        progress.judge(&Err(CatalogError::Unavailable("away".into()).into()));
        assert!(!is_taken().await);
        // Nothing waits, as is seen when it is back.
        progress.look().await.unwrap();
        assert!(is_taken().await);
    }
}
