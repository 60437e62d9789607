//! Opens log records (`security.md` §1, §3).
use crate::{
    aead::{Cipher, WRAPPED, commitment, same, wrapping_aad},
    error::KeyError,
    masters::MasterKey,
    sealer::record_aad,
};
use schemas::{
    ids::{DekId, WorkspaceId},
    record::SealedRecord,
};
use std::sync::Arc;

/// Bytes of the counter before the payload.
pub(crate) const COUNTER: usize = 8;

/// A data key that was unwrapped to open records, with all that its header fields said.
pub(crate) struct OpenedDek {
    workspace: WorkspaceId,
    master_key: Arc<str>,
    dek: DekId,
    wrapped: [u8; WRAPPED],
    commitment: [u8; 16],
    cipher: Cipher,
}

fn integrity(record: &SealedRecord, what: &str) -> KeyError {
    KeyError::Integrity(format!("{what} of record {} under {}", record.event, record.master_key))
}

impl OpenedDek {
    /// Unwraps the record's data key and compares its commitment, in constant time, before anything is opened with it.
    pub(crate) fn unwrap(record: &SealedRecord, master: &MasterKey) -> Result<Self, KeyError> {
        let aad = wrapping_aad(&master.id, &record.dek.0);
        let key = master.wrapping.unwrap(&record.wrapped_dek, &aad).ok_or_else(|| integrity(record, "data key"))?;
        if !same(&commitment(&key, &record.dek.0), &record.commitment) {
            return Err(integrity(record, "commitment"));
        }
        Ok(Self {
            workspace: record.workspace,
            master_key: record.master_key.clone(),
            dek: record.dek,
            wrapped: record.wrapped_dek,
            commitment: record.commitment,
            cipher: Cipher::new(&key),
        })
    }

    /// True when the record's headers are those that this key came from. One that differs goes the long way and fails
    /// there.
    pub(crate) fn fits(&self, record: &SealedRecord) -> bool {
        self.workspace == record.workspace
            && self.dek == record.dek
            && (Arc::ptr_eq(&self.master_key, &record.master_key) || self.master_key == record.master_key)
            && self.wrapped == record.wrapped_dek
            && same(&self.commitment, &record.commitment)
    }

    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The counter and the payload.
    pub(crate) fn open(&self, topic: &str, record: &SealedRecord) -> Result<(u64, Vec<u8>), KeyError> {
        let (mut aad, mut plain) = (Vec::new(), Vec::new());
        let counter = self.open_into(topic, record, &mut aad, &mut plain)?;
        plain.drain(..COUNTER);
        Ok((counter, plain))
    }

    /// The counter; `plain` begins with it and holds the payload from [`COUNTER`] on. Both buffers are used again.
    pub(crate) fn open_into(
        &self,
        topic: &str,
        record: &SealedRecord,
        aad: &mut Vec<u8>,
        plain: &mut Vec<u8>,
    ) -> Result<u64, KeyError> {
        record_aad(aad, topic, record.workspace, record.event, record.schema, &record.master_key, record.dek);
        self.cipher.open_into(&record.value, aad, plain).ok_or_else(|| integrity(record, "value"))?;
        let counter = plain.first_chunk::<COUNTER>().ok_or_else(|| integrity(record, "counter"))?;
        Ok(u64::from_be_bytes(*counter))
    }
}
