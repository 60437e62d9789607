//! Opening many records in a row.
use super::Keyring;
use crate::{
    error::KeyError,
    opener::{COUNTER, OpenedDek},
    sealer::EVENTS_TOPIC,
};
use schemas::record::SealedRecord;
use std::sync::Arc;

/// Records that are opened between two looks at cache and key store: far below a millisecond.
const TOGETHER: u32 = 256;

/// Opens records of the topic `events` one after the other, see [`Keyring::opener`].
pub struct RecordOpener {
    keyring: Keyring,
    held: Option<Arc<OpenedDek>>,
    left: u32,
    aad: Vec<u8>,
    plain: Vec<u8>,
}

impl Keyring {
    /// What opens many records in a row. It verifies each as [`Self::open_record`] does; what it saves is the look-up of
    /// a data key that is that of the record before, and the buffers. Drop it when the records end: it may hold a data key.
    pub fn opener(&self) -> RecordOpener {
        RecordOpener { keyring: self.clone(), held: None, left: 0, aad: Vec::new(), plain: Vec::new() }
    }
}

impl RecordOpener {
    /// The plaintext of a record.
    ///
    /// # Errors
    /// As [`Keyring::open_record`].
    pub async fn open(&mut self, record: &SealedRecord) -> Result<&[u8], KeyError> {
        if self.left == 0 {
            // What was destroyed meanwhile is no longer in the cache.
            self.held = None;
            self.keyring.inner.ensure_fresh().await?;
            self.left = TOGETHER;
        }
        self.left -= 1;
        let dek = match self.held.take() {
            Some(dek) if dek.fits(record) => dek,
            _ => self.keyring.inner.data_key(EVENTS_TOPIC, record).await?,
        };
        dek.open_into(EVENTS_TOPIC, record, &mut self.aad, &mut self.plain)?;
        self.held = Some(dek);
        Ok(&self.plain[COUNTER..])
    }
}
