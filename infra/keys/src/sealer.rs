//! Seals log records under a data key of this process (`security.md` §1, §3).
use crate::{
    aead::{Cipher, NONCE, TAG, WRAPPED, commitment, prefix_into, wrapping_aad},
    error::KeyError,
    masters::MasterKey,
    secret::Secret32,
};
use schemas::{
    clock::{Entropy, SharedClock, random},
    ids::{DekId, EventId, WorkspaceId},
    record::SealedRecord,
    time::Millis,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

/// The topic of records whose caller names none.
pub const EVENTS_TOPIC: &str = "events";

/// A data key seals for at most this long.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(3600);
/// A data key seals at most this many records.
pub(crate) const MAX_RECORDS: u64 = 5_000_000;
/// A data key seals at most this many plaintext bytes, 64 GiB.
pub(crate) const MAX_BYTES: u64 = 64 << 30;
/// Longest plaintext of one record, in bytes.
const MAX_RECORD: usize = 64 << 20;
/// Without a look at the key store for this long, nothing is sealed: the workspace may be destroyed.
pub(crate) const STALE: Duration = Duration::from_secs(1);

const LIVE: u8 = 0;
const RETIRED: u8 = 1;
const DESTROYED: u8 = 2;

/// When the key store was last looked at, shared with the keyring. By the injected clock.
pub(crate) type CheckedAt = Arc<AtomicI64>;

/// Distance of two instants, whichever is first: a clock that was set back makes things old, not fresh.
pub(crate) fn distance(a: i64, b: i64) -> Duration {
    Duration::from_millis(a.abs_diff(b))
}

/// The AAD of a record's value, into a buffer: each part prefixed by its length (`security.md` §3).
pub(crate) fn record_aad(
    out: &mut Vec<u8>,
    topic: &str,
    ws: WorkspaceId,
    event: EventId,
    schema: u32,
    mk: &str,
    dek: DekId,
) {
    let (topic, schema) = (topic.as_bytes(), schema.to_be_bytes());
    // The record key is the workspace id (§3), so it comes twice.
    prefix_into(out, &[b"cm-k1", topic, &ws.0, &event.0, &ws.0, &schema, mk.as_bytes(), &dek.0]);
}

/// A data key of one workspace and topic, in this process only. Shared between threads without a lock.
pub struct RecordSealer {
    workspace: WorkspaceId,
    topic: &'static str,
    master_key: Arc<str>,
    dek: DekId,
    wrapped: [u8; WRAPPED],
    commitment: [u8; 16],
    cipher: Cipher,
    first_nonce: u128,
    since: Millis,
    clock: SharedClock,
    checked_at: CheckedAt,
    records: AtomicU64,
    bytes: AtomicU64,
    state: AtomicU8,
}

impl RecordSealer {
    pub(crate) fn new(
        workspace: WorkspaceId,
        topic: &'static str,
        master: &MasterKey,
        clock: SharedClock,
        checked_at: CheckedAt,
        entropy: &dyn Entropy,
    ) -> Result<Self, KeyError> {
        let key = Secret32::random(entropy)?;
        let dek = DekId(random(entropy)?);
        let nonce: [u8; NONCE] = random(entropy)?;
        let wrapped = master.wrapping.wrap(entropy, &wrapping_aad(&master.id, &dek.0), &key)?;
        Ok(Self {
            workspace,
            topic,
            master_key: master.id.as_str().into(),
            dek,
            wrapped,
            commitment: commitment(&key, &dek.0),
            cipher: Cipher::new(&key),
            first_nonce: nonce.iter().fold(0, |n, byte| n << 8 | u128::from(*byte)),
            since: clock.now(),
            clock,
            checked_at,
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            state: AtomicU8::new(LIVE),
        })
    }

    /// Seals one record of at most 64 MiB. Its value is nonce 12 ‖ ciphertext ‖ tag 16 of a u64 counter (big-endian,
    /// per data key, from 0) and the plaintext.
    ///
    /// # Errors
    /// [`KeyError::Limit`] when this data key has done all it may, its workspace key was rotated, or the keyring has
    /// not been asked for a second: ask the keyring again. [`KeyError::Destroyed`] when the workspace was destroyed.
    pub fn seal(&self, event: EventId, schema: u32, plaintext: &[u8]) -> Result<SealedRecord, KeyError> {
        self.check()?;
        if plaintext.len() > MAX_RECORD {
            return Err(KeyError::Limit("a record of more than 64 MiB".into()));
        }
        let length = plaintext.len() as u64;
        if self.bytes.fetch_add(length, Ordering::Relaxed).saturating_add(length) > MAX_BYTES {
            return Err(KeyError::Limit("bytes under one data key".into()));
        }
        let counter = self.records.fetch_add(1, Ordering::Relaxed);
        if counter >= MAX_RECORDS {
            return Err(KeyError::Limit("records under one data key".into()));
        }
        let mut aad = Vec::new();
        record_aad(&mut aad, self.topic, self.workspace, event, schema, &self.master_key, self.dek);
        let value = self.cipher.seal(&self.nonce(counter), &aad, &[&counter.to_be_bytes(), plaintext])?;
        debug_assert_eq!(value.len(), NONCE + 8 + plaintext.len() + TAG);
        Ok(SealedRecord {
            workspace: self.workspace,
            event,
            schema,
            master_key: self.master_key.clone(),
            dek: self.dek,
            wrapped_dek: self.wrapped,
            commitment: self.commitment,
            value: value.into(),
        })
    }

    /// The random start plus the message's number, modulo 2^96.
    fn nonce(&self, counter: u64) -> [u8; NONCE] {
        let bytes = self.first_nonce.wrapping_add(u128::from(counter)).to_be_bytes();
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&bytes[4..]);
        nonce
    }

    fn check(&self) -> Result<(), KeyError> {
        match self.state.load(Ordering::SeqCst) {
            LIVE => {}
            RETIRED => return Err(KeyError::Limit("the workspace key was rotated".into())),
            _ => return Err(KeyError::Destroyed(self.master_key.to_string())),
        }
        let now = self.clock.now().0;
        if distance(now, self.since.0) >= MAX_AGE {
            return Err(KeyError::Limit("age of one data key".into()));
        }
        if distance(now, self.checked_at.load(Ordering::SeqCst)) > STALE {
            return Err(KeyError::Limit("the key store has not been looked at for a second".into()));
        }
        Ok(())
    }

    /// True while [`Self::seal`] would take a small record.
    pub(crate) fn usable(&self) -> bool {
        let room = self.records.load(Ordering::Relaxed) < MAX_RECORDS && self.bytes.load(Ordering::Relaxed) < MAX_BYTES;
        room && self.check().is_ok()
    }

    /// The workspace key was rotated.
    pub(crate) fn retire(&self) {
        let _ = self.state.compare_exchange(LIVE, RETIRED, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The workspace was destroyed.
    pub(crate) fn mark_destroyed(&self) {
        self.state.store(DESTROYED, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::clock::{ManualClock, SystemEntropy};

    fn sealer() -> RecordSealer {
        let now = Millis(1_000_000);
        let master = MasterKey::new("w/x/v1".into(), 1, Secret32::random(&SystemEntropy).expect("a key"));
        let (master, clock) = (master.expect("a key"), ManualClock::at(now));
        let checked_at = Arc::new(AtomicI64::new(now.0));
        RecordSealer::new(WorkspaceId([1; 16]), EVENTS_TOPIC, &master, clock, checked_at, &SystemEntropy).expect("one")
    }

    fn refused(sealer: &RecordSealer, plaintext: &[u8]) -> bool {
        matches!(sealer.seal(EventId::default(), 1, plaintext), Err(KeyError::Limit(_)))
    }

    #[test]
    fn a_data_key_seals_five_million_records_and_64_gib() {
        let sealer = sealer();
        sealer.records.store(MAX_RECORDS - 1, Ordering::SeqCst);
        assert!(sealer.usable());
        sealer.seal(EventId::default(), 1, b"").expect("the last one");
        assert!(!sealer.usable() && refused(&sealer, b""));

        let sealer = self::sealer();
        sealer.bytes.store(MAX_BYTES - 3, Ordering::SeqCst);
        sealer.seal(EventId::default(), 1, b"123").expect("the last one");
        assert!(!sealer.usable() && refused(&sealer, b"1"));
        assert_eq!((MAX_RECORDS, MAX_BYTES), (5_000_000, 68_719_476_736));
    }

    #[test]
    fn nonces_count_up_from_a_random_start_and_wrap_around() {
        let mut sealer = sealer();
        sealer.first_nonce = (1 << 96) - 2;
        let nonces: Vec<_> = (0..4).map(|n| sealer.nonce(n)).collect();
        let last = |byte| std::array::from_fn::<u8, 12, _>(|i| if i == 11 { byte } else { 0 });
        let mut first = [0xff; 12];
        first[11] = 0xfe;
        assert_eq!(nonces, [first, [0xff; 12], last(0), last(1)]);
        let starts: std::collections::HashSet<_> = (0..20).map(|_| self::sealer().first_nonce).collect();
        assert_eq!(starts.len(), 20);
    }
}
