//! Sealed payloads in the event log: the only way in ([`Appender`], which seals before anything reaches a log) and the
//! only way out ([`open`], [`Opener`]).
mod position;
mod sealed;

pub use position::{InvalidPosition, Position};

use event_log::{LogError, SharedLog};
use keys::{KeyError, KeyErrorClass, Keyring};
use schemas::{
    ids::{EventId, LogEpoch, WorkspaceId},
    log::Slot,
    record::SealedRecord,
    wire::{Payload, WireError},
};

/// What went wrong, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The log or the key store does not answer. Nothing was acknowledged: answer 503, try again.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The workspace's key is destroyed: skip and count a record, answer 410 to a caller.
    #[error("the key is destroyed")]
    KeyDestroyed,
    /// The record does not verify or read: damaged, swapped or of a newer version. Stop and alert.
    #[error("integrity: {0}")]
    Integrity(String),
    /// See [`LogError`]; only those that mean stop.
    #[error(transparent)]
    Log(LogError),
}

impl From<KeyError> for RecordError {
    fn from(error: KeyError) -> Self {
        match error.class() {
            KeyErrorClass::Retry => Self::Unavailable(error.to_string()),
            KeyErrorClass::Destroyed => Self::KeyDestroyed,
            KeyErrorClass::Integrity => Self::Integrity(error.to_string()),
        }
    }
}

impl From<LogError> for RecordError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unavailable(why) => Self::Unavailable(why),
            other => Self::Log(other),
        }
    }
}

impl From<WireError> for RecordError {
    fn from(error: WireError) -> Self {
        Self::Integrity(error.to_string())
    }
}

/// Seals payloads and appends them. Cheap to clone.
#[derive(Clone)]
pub struct Appender {
    log: SharedLog,
    keyring: Keyring,
    counts: sealed::Counts,
}

impl Appender {
    /// An appender to this log with keys of this ring.
    pub fn new(log: SharedLog, keyring: Keyring) -> Self {
        Self { log, keyring, counts: sealed::Counts::default() }
    }

    /// Registers the counters that this appender and its clones share.
    pub fn register(&self, metrics: &mut prometheus_client::registry::Registry) {
        self.counts.register(metrics);
    }

    /// The log's epoch.
    pub fn epoch(&self) -> LogEpoch {
        self.log.epoch()
    }

    /// The log that it appends to.
    pub fn log(&self) -> &SharedLog {
        &self.log
    }

    /// Seals the payloads of one workspace and appends them to its slot, in their order. Returns the position after the
    /// last of them once all are durable.
    ///
    /// # Errors
    /// See [`RecordError`]; nothing was acknowledged then, but any of them may be in the log.
    pub async fn append(
        &self,
        workspace: WorkspaceId,
        slot: Slot,
        payloads: &[(EventId, Payload)],
    ) -> Result<Position, RecordError> {
        let mut records = Vec::with_capacity(payloads.len());
        for (event, payload) in payloads {
            let plaintext = payload.encode()?;
            let record = self.keyring.seal(workspace, *event, payload.schema() as u32, &plaintext).await?;
            self.counts.check(&record.value, &plaintext)?;
            records.push(record);
        }
        let appended = self.log.append(slot, records).await?;
        Ok(Position { epoch: self.log.epoch(), slot, next: appended.next })
    }
}

/// Opens many records in a row, each as [`open`] does.
pub struct Opener(keys::RecordOpener);

impl Opener {
    /// An opener with keys of this ring. Drop it when the records end: it may hold a data key.
    pub fn new(keyring: &Keyring) -> Self {
        Self(keyring.opener())
    }

    /// The plaintext of the next record, which [`Payload::decode`] reads by the record's schema.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub async fn open(&mut self, record: &SealedRecord) -> Result<&[u8], RecordError> {
        Ok(self.0.open(record).await?)
    }
}

/// Opens a record.
///
/// # Errors
/// See [`RecordError`].
pub async fn open(keyring: &Keyring, record: &SealedRecord) -> Result<Payload, RecordError> {
    let plaintext = keyring.open_record(record).await?;
    Ok(Payload::decode(record.schema, &plaintext)?)
}
