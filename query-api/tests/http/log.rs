//! A log in memory that can be told to fail.
use async_trait::async_trait;
use event_log::{Appended, Batch, EventLog, LogError};
use parking_lot::Mutex;
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
    record::SealedRecord,
};

pub const EPOCH: LogEpoch = LogEpoch([7; 16]);
pub const SLOTS: u32 = 4;

#[derive(Default)]
pub struct MemoryLog {
    pub records: Mutex<Vec<(Slot, SealedRecord)>>,
    pub down: Mutex<bool>,
}

#[async_trait]
impl EventLog for MemoryLog {
    fn epoch(&self) -> LogEpoch {
        EPOCH
    }
    fn slots(&self) -> u32 {
        SLOTS
    }
    async fn append(&self, slot: Slot, new: Vec<SealedRecord>) -> Result<Appended, LogError> {
        if *self.down.lock() {
            return Err(LogError::Unavailable("disk /secret/path is full".into()));
        }
        let mut records = self.records.lock();
        let first = records.iter().filter(|(of, _)| *of == slot).count() as u64;
        let next = first + new.len() as u64;
        records.extend(new.into_iter().map(|record| (slot, record)));
        Ok(Appended { first: Offset(first), next: Offset(next) })
    }
    async fn read(&self, _: Slot, from: Offset, _: usize) -> Result<Batch, LogError> {
        Ok(Batch { records: Vec::new(), next: from })
    }
    async fn wait(&self, _: Slot, _: Offset) -> Result<(), LogError> {
        Ok(())
    }
    async fn start(&self, _: Slot) -> Result<Offset, LogError> {
        Ok(Offset(0))
    }
    async fn end(&self, slot: Slot) -> Result<Offset, LogError> {
        Ok(Offset(self.records.lock().iter().filter(|(of, _)| *of == slot).count() as u64))
    }
    async fn truncate(&self, _: Slot, _: Offset) -> Result<(), LogError> {
        Ok(())
    }
}
