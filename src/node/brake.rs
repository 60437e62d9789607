//! Refuses new events while those of long ago are not landed: a log that lets go of records by age would lose the oldest.
use async_trait::async_trait;
use event_log::{Appended, Batch, EventLog, LogError, SharedLog};
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
    record::SealedRecord,
    time::Millis,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How far land may be behind. The log holds records for 72 h.
const FURTHEST: Duration = Duration::from_secs(60 * 3600);

/// Pulled while land is too far behind. Cheap to clone.
#[derive(Clone, Default)]
pub struct Brake(Arc<AtomicBool>);

impl Brake {
    /// Land is so far behind.
    pub fn behind(&self, lag: Duration) {
        let pulled = lag > FURTHEST;
        if self.0.swap(pulled, Ordering::SeqCst) != pulled {
            let hours = lag.as_secs() / 3600;
            match pulled {
                true => tracing::error!(
                    hours,
                    "land is too far behind: webhooks are answered with 503 until it has caught up"
                ),
                false => tracing::info!(hours, "land has caught up: webhooks are taken again"),
            }
        }
    }

    /// The log for those who append.
    pub fn on(&self, log: SharedLog) -> SharedLog {
        Arc::new(Braked { log, brake: self.clone() })
    }
}

struct Braked {
    log: SharedLog,
    brake: Brake,
}

#[async_trait]
impl EventLog for Braked {
    fn epoch(&self) -> LogEpoch {
        self.log.epoch()
    }
    fn slots(&self) -> u32 {
        self.log.slots()
    }
    async fn append(&self, slot: Slot, records: Vec<SealedRecord>) -> Result<Appended, LogError> {
        if self.brake.0.load(Ordering::SeqCst) {
            return Err(LogError::Unavailable("land is more than 60 h behind".into()));
        }
        self.log.append(slot, records).await
    }
    async fn read(&self, slot: Slot, from: Offset, max_bytes: usize) -> Result<Batch, LogError> {
        self.log.read(slot, from, max_bytes).await
    }
    async fn wait(&self, slot: Slot, at: Offset) -> Result<(), LogError> {
        self.log.wait(slot, at).await
    }
    async fn start(&self, slot: Slot) -> Result<Offset, LogError> {
        self.log.start(slot).await
    }
    async fn end(&self, slot: Slot) -> Result<Offset, LogError> {
        self.log.end(slot).await
    }
    async fn truncate(&self, slot: Slot, below: Offset) -> Result<(), LogError> {
        self.log.truncate(slot, below).await
    }
    async fn appended_at(&self, slot: Slot, at: Offset) -> Result<Option<Millis>, LogError> {
        self.log.appended_at(slot, at).await
    }
    async fn maintain(&self) -> Result<(), LogError> {
        self.log.maintain().await
    }
    fn disk_bytes(&self) -> u64 {
        self.log.disk_bytes()
    }
    async fn close(&self) {
        self.log.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_log::embedded::{EmbeddedLog, Options};
    use schemas::clock::{SystemClock, SystemEntropy};

    #[tokio::test]
    async fn beyond_sixty_hours_nothing_is_taken_until_land_has_caught_up() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options::new(directory.path().join("log"), 1, Arc::new(SystemClock), Arc::new(SystemEntropy));
        let brake = Brake::default();
        let log = brake.on(EmbeddedLog::open(options).unwrap());
        let taken = async || log.append(Slot(0), Vec::new()).await.is_ok();
        assert!(taken().await);
        brake.behind(Duration::from_secs(59 * 3600));
        assert!(taken().await);
        brake.behind(Duration::from_secs(61 * 3600));
        assert!(!taken().await);
        brake.behind(Duration::ZERO);
        assert!(taken().await);
    }
}
