//! A sealed record as the event log carries it (`security.md` §3): headers that name no person, and a value that
//! only the workspace's key opens.
use crate::ids::{DekId, EventId, WorkspaceId};
use bytes::{Buf, Bytes};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Format version of the headers (`u-v`).
pub const RECORD_VERSION: u8 = 1;
/// Longest workspace key id (`u-mk`), in bytes.
pub const MASTER_KEY_ID_MAX: usize = 64;

/// What is inside a record's plaintext (`u-sc`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[repr(u32)]
pub enum SchemaId {
    /// [`crate::event::Event`], postcard.
    EventV1 = 1,
    /// [`crate::event::Raw`], postcard: what was signed but could not be read.
    RawV1 = 2,
    /// [`crate::event::Ignored`], postcard: only counted, no content.
    IgnoredV1 = 3,
}

impl SchemaId {
    /// From the header; `None` for a schema that this build does not know.
    pub fn from_u32(value: u32) -> Option<Self> {
        [Self::EventV1, Self::RawV1, Self::IgnoredV1].into_iter().find(|s| *s as u32 == value)
    }
}

/// A record of the event log. `value` = nonce 12 ‖ ciphertext ‖ tag 16.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedRecord {
    /// `u-ws`, also the record key.
    pub workspace: WorkspaceId,
    /// `u-ev`, for the duplicate check.
    pub event: EventId,
    /// `u-sc`; kept as a number, as a newer writer's schema must survive an older reader.
    pub schema: u32,
    /// `u-mk`: id of the workspace key that wraps the data key, `w/<ws>/v<n>`. Shared, as whole runs of records have one.
    pub master_key: Arc<str>,
    /// `u-dk`.
    pub dek: DekId,
    /// `u-wd`: nonce 12 ‖ ciphertext 32 ‖ tag 16.
    pub wrapped_dek: [u8; 60],
    /// `u-cm`: key commitment.
    pub commitment: [u8; 16],
    /// The sealed plaintext.
    pub value: Bytes,
}

/// The last id of a workspace key that was read, so that the records of a run share one text.
#[derive(Debug, Default)]
pub struct LastMasterKey(Option<Arc<str>>);

impl LastMasterKey {
    /// The id, shared with the record before if that has the same.
    pub fn share(&mut self, id: &str) -> Arc<str> {
        match &self.0 {
            Some(last) if **last == *id => last.clone(),
            _ => self.0.insert(id.into()).clone(),
        }
    }
}

/// The bytes of a record do not read: damaged, or of a newer format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log record does not read")]
pub struct UnreadableRecord;

impl SealedRecord {
    /// Bytes that [`Self::encode`] appends.
    pub fn encoded_len(&self) -> usize {
        1 + 16 + 16 + 4 + 1 + self.master_key.len() + 16 + 60 + 16 + 4 + self.value.len()
    }

    /// Appends the record in the embedded log's own form.
    ///
    /// # Errors
    /// [`UnreadableRecord`] when a field is too long to be read back.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), UnreadableRecord> {
        let key_len = u8::try_from(self.master_key.len()).map_err(|_| UnreadableRecord)?;
        let value_len = u32::try_from(self.value.len()).map_err(|_| UnreadableRecord)?;
        if usize::from(key_len) > MASTER_KEY_ID_MAX {
            return Err(UnreadableRecord);
        }
        out.push(RECORD_VERSION);
        out.extend_from_slice(&self.workspace.0);
        out.extend_from_slice(&self.event.0);
        out.extend_from_slice(&self.schema.to_be_bytes());
        out.push(key_len);
        out.extend_from_slice(self.master_key.as_bytes());
        out.extend_from_slice(&self.dek.0);
        out.extend_from_slice(&self.wrapped_dek);
        out.extend_from_slice(&self.commitment);
        out.extend_from_slice(&value_len.to_be_bytes());
        out.extend_from_slice(&self.value);
        Ok(())
    }

    /// Reads one record from the front of `bytes` and moves past it; the value shares the buffer.
    ///
    /// # Errors
    /// [`UnreadableRecord`] when the bytes end early or are of another version.
    pub fn decode(bytes: &mut Bytes, last: &mut LastMasterKey) -> Result<Self, UnreadableRecord> {
        fn array<const N: usize>(bytes: &mut Bytes) -> Result<[u8; N], UnreadableRecord> {
            let mut out = [0; N];
            bytes.try_copy_to_slice(&mut out).map_err(|_| UnreadableRecord)?;
            Ok(out)
        }
        if bytes.try_get_u8().map_err(|_| UnreadableRecord)? != RECORD_VERSION {
            return Err(UnreadableRecord);
        }
        let workspace = WorkspaceId(array(bytes)?);
        let event = EventId(array(bytes)?);
        let schema = u32::from_be_bytes(array(bytes)?);
        let key_len = usize::from(bytes.try_get_u8().map_err(|_| UnreadableRecord)?);
        if key_len > MASTER_KEY_ID_MAX || bytes.len() < key_len {
            return Err(UnreadableRecord);
        }
        let master_key = last.share(std::str::from_utf8(&bytes[..key_len]).map_err(|_| UnreadableRecord)?);
        bytes.advance(key_len);
        let dek = DekId(array(bytes)?);
        let wrapped_dek = array(bytes)?;
        let commitment = array(bytes)?;
        let value_len = u32::from_be_bytes(array(bytes)?) as usize;
        if bytes.len() < value_len {
            return Err(UnreadableRecord);
        }
        let value = bytes.split_to(value_len);
        Ok(Self { workspace, event, schema, master_key, dek, wrapped_dek, commitment, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(value: Vec<u8>, master_key: String) -> SealedRecord {
        SealedRecord {
            workspace: WorkspaceId([1; 16]),
            event: EventId([2; 16]),
            schema: 7,
            master_key: master_key.into(),
            dek: DekId([3; 16]),
            wrapped_dek: [4; 60],
            commitment: [5; 16],
            value: value.into(),
        }
    }

    proptest! {
        #[test]
        fn records_round_trip_and_no_prefix_reads(value in proptest::collection::vec(any::<u8>(), 0..200), key in "[ -~]{0,64}") {
            let record = record(value, key);
            let (mut bytes, mut last) = (Vec::new(), LastMasterKey::default());
            record.encode(&mut bytes).expect("it fits");
            prop_assert_eq!(bytes.len(), record.encoded_len());
            prop_assert_eq!(SealedRecord::decode(&mut Bytes::from(bytes.clone()), &mut last), Ok(record));
            for end in 0..bytes.len() {
                prop_assert!(SealedRecord::decode(&mut Bytes::copy_from_slice(&bytes[..end]), &mut last).is_err());
            }
        }
    }

    #[test]
    fn records_of_a_run_share_the_id_of_their_key() {
        let mut last = LastMasterKey::default();
        let ids = ["a", "a", "b", "a"].map(|id| last.share(id));
        assert_eq!(ids.each_ref().map(|id| &**id), ["a", "a", "b", "a"]);
        assert!(Arc::ptr_eq(&ids[0], &ids[1]));
    }
}
