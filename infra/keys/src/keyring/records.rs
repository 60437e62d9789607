//! Sealing and opening log records.
use super::{Inner, Keyring};
use crate::{
    error::KeyError,
    key_id::{MasterKind, workspace_key_version},
    opener::OpenedDek,
    sealer::{EVENTS_TOPIC, RecordSealer},
};
use schemas::{
    ids::{EventId, WorkspaceId},
    record::SealedRecord,
};
use std::sync::Arc;

/// Times that [`Keyring::seal`] asks for a new sealer.
const RENEWALS: usize = 3;

impl Keyring {
    /// The sealer of the topic `events`, see [`Self::sealer_in`].
    ///
    /// # Errors
    /// As [`Self::sealer_in`].
    pub async fn sealer(&self, ws: WorkspaceId) -> Result<Arc<RecordSealer>, KeyError> {
        self.sealer_in(ws, EVENTS_TOPIC).await
    }

    /// This process's sealer for a workspace and topic: the same one for at most an hour by the clock, 5,000,000 records
    /// and 64 GiB, and until the workspace key is rotated; then one with a fresh data key (`security.md` §1). Cheap:
    /// ask for each batch.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Destroyed`], [`KeyError::Unavailable`].
    pub async fn sealer_in(&self, ws: WorkspaceId, topic: &'static str) -> Result<Arc<RecordSealer>, KeyError> {
        let inner = &self.inner;
        inner.ensure_fresh().await?;
        loop {
            if let Some(sealer) = inner.sealers.get(&(ws, topic)).filter(|s| s.usable()) {
                return Ok(sealer);
            }
            let epoch = inner.sealers.epoch();
            let master = inner.masters.get(ws, MasterKind::Workspace, None).await?;
            let (clock, checked_at) = (inner.clock.clone(), inner.checked_at.clone());
            let sealer = RecordSealer::new(ws, topic, &master, clock, checked_at, &*inner.entropy)?;
            let sealer = Arc::new(sealer);
            if inner.sealers.insert(epoch, (ws, topic), sealer.clone()) {
                return Ok(sealer);
            }
        }
    }

    /// Seals one record of the topic `events`, with a new data key when the old one has done all it may.
    ///
    /// # Errors
    /// As [`Self::sealer_in`]; [`KeyError::Limit`] for a plaintext of more than 64 MiB.
    pub async fn seal(
        &self,
        ws: WorkspaceId,
        event: EventId,
        schema: u32,
        plaintext: &[u8],
    ) -> Result<SealedRecord, KeyError> {
        self.seal_in(EVENTS_TOPIC, ws, event, schema, plaintext).await
    }

    /// [`Self::seal`] for another topic. A record opens only as of the topic that it was sealed for.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub async fn seal_in(
        &self,
        topic: &'static str,
        ws: WorkspaceId,
        event: EventId,
        schema: u32,
        plaintext: &[u8],
    ) -> Result<SealedRecord, KeyError> {
        let mut result = Err(KeyError::Limit("no data key".into()));
        for _ in 0..RENEWALS {
            result = self.sealer_in(ws, topic).await?.seal(event, schema, plaintext);
            if !matches!(result, Err(KeyError::Limit(_))) {
                break;
            }
        }
        result
    }

    /// Opens a record of the topic `events` and returns its plaintext without the inner counter.
    ///
    /// # Errors
    /// [`KeyError::Integrity`] when anything about it does not verify (`security.md` §3: another workspace, topic,
    /// event, schema or value, a key that never was), [`KeyError::Destroyed`] when its workspace was destroyed (skip and
    /// count), [`KeyError::Unavailable`].
    pub async fn open_record(&self, record: &SealedRecord) -> Result<Vec<u8>, KeyError> {
        Ok(self.open_record_in(EVENTS_TOPIC, record).await?.1)
    }

    /// Opens a record of `topic`; returns its counter, which grows by one with each record of one data key (a gap or a
    /// step back shows loss or reordering), and its plaintext.
    ///
    /// With the data key in memory this neither waits nor holds a lock while it opens.
    ///
    /// # Errors
    /// As [`Self::open_record`].
    pub async fn open_record_in(&self, topic: &str, record: &SealedRecord) -> Result<(u64, Vec<u8>), KeyError> {
        self.inner.ensure_fresh().await?;
        self.inner.data_key(topic, record).await?.open(topic, record)
    }
}

impl Inner {
    /// The data key of a record, from memory or unwrapped; one that was unwrapped has opened the record.
    pub(super) async fn data_key(&self, topic: &str, record: &SealedRecord) -> Result<Arc<OpenedDek>, KeyError> {
        let cache_key = (record.workspace, record.dek);
        if let Some(dek) = self.deks.get(&cache_key).filter(|dek| dek.fits(record)) {
            return Ok(dek);
        }
        let unknown = || KeyError::Integrity(format!("record {}: it names a key that never was", record.event));
        let version = workspace_key_version(record.workspace, &record.master_key).ok_or_else(unknown)?;
        loop {
            let epoch = self.deks.epoch();
            let master = match self.masters.get(record.workspace, MasterKind::Workspace, Some(version)).await {
                Err(KeyError::Unknown(_)) => return Err(unknown()),
                other => other?,
            };
            let dek = Arc::new(OpenedDek::unwrap(record, &master)?);
            dek.open(topic, record)?;
            if self.deks.insert(epoch, (dek.workspace(), record.dek), dek.clone()) {
                return Ok(dek);
            }
        }
    }
}
