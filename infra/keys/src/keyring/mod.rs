//! The key store: everything that a workspace's data is sealed with.
mod bulk;
mod days;
mod fields;
mod records;
mod watch;
mod workspaces;

pub use bulk::RecordOpener;

use crate::{
    cache::{Cache, PLAINTEXT_TTL},
    day_key::DayKey,
    db::{Purpose, Store, day_rows, day_rows::DayId, dialect::Dialect, master_rows},
    error::KeyError,
    kms::{Kms, RootKey},
    masters::Masters,
    opener::OpenedDek,
    pseudonyms::Pseudonyms,
    sealer::{CheckedAt, MAX_AGE, RecordSealer},
};
use database::Address;
use schemas::{
    clock::{SharedClock, SharedEntropy},
    ids::{DekId, WorkspaceId},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Entries of the plaintext caches; full, they and the master keys stay under 64 MiB (`security.md` §1).
const DEKS: usize = 12_288;
const DAYS: usize = 12_288;
const SEALERS: usize = 10_240;
const PSEUDONYMS: usize = 10_240;
/// How often plaintext keys that are too old are looked for, so that an idle process does not keep them.
const SWEEP: Duration = Duration::from_secs(30);

/// What a keyring is made of.
pub struct KeyringOptions {
    /// The key store's own database.
    pub database: Address,
    /// Keeps the root keys.
    pub kms: Arc<dyn Kms>,
    /// Ages caches and data keys.
    pub clock: SharedClock,
    /// Makes keys and nonces. In production nothing but the operating system's.
    pub entropy: SharedEntropy,
}

/// A handle on the key store; clones share everything.
///
/// It looks at the store at most every half second when asked for anything, so that what another process destroys or
/// rotates takes effect here within a second; when the store cannot be read for a second, it refuses.
#[derive(Clone)]
pub struct Keyring {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<Store>,
    masters: Masters,
    clock: SharedClock,
    entropy: SharedEntropy,
    days: Cache<DayId, DayKey>,
    deks: Cache<(WorkspaceId, DekId), OpenedDek>,
    sealers: Cache<(WorkspaceId, &'static str), RecordSealer>,
    pseudonyms: Cache<WorkspaceId, Pseudonyms>,
    checked_at: CheckedAt,
    seen_generation: AtomicI64,
    looking: tokio::sync::Mutex<()>,
    /// Looks that failed.
    failures: AtomicU64,
}

fn tables(dialect: Dialect) -> Vec<String> {
    let mut tables = master_rows::tables(dialect);
    tables.extend(day_rows::tables(dialect));
    tables
}

impl Keyring {
    /// Opens the key store.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when the database cannot be opened or is of a newer format.
    pub async fn open(options: KeyringOptions) -> Result<Self, KeyError> {
        let KeyringOptions { database, kms, clock, entropy } = options;
        let store = Arc::new(Store::open(&database, Purpose::Keys, tables).await?);
        let checked = clock.now();
        let generation = store.generation().await?;
        let inner = Arc::new(Inner {
            masters: Masters::new(store.clone(), kms, RootKey::Data, clock.clone(), entropy.clone()),
            store,
            entropy,
            days: Cache::new(clock.clone(), PLAINTEXT_TTL, DAYS),
            deks: Cache::new(clock.clone(), PLAINTEXT_TTL, DEKS),
            sealers: Cache::new(clock.clone(), MAX_AGE, SEALERS),
            pseudonyms: Cache::new(clock.clone(), PLAINTEXT_TTL, PSEUDONYMS),
            clock,
            checked_at: Arc::new(AtomicI64::new(checked.0)),
            seen_generation: AtomicI64::new(generation),
            looking: tokio::sync::Mutex::new(()),
            failures: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&inner);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let Some(inner) = weak.upgrade() else { break };
                inner.sweep();
            }
        });
        Ok(Self { inner })
    }

    /// Asks the database, for readiness.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when it does not answer.
    pub async fn ping(&self) -> Result<(), KeyError> {
        self.inner.store.generation().await.map(drop)
    }
}

impl Inner {
    fn sweep(&self) {
        self.masters.sweep();
        self.days.sweep();
        self.deks.sweep();
        self.sealers.sweep();
        self.pseudonyms.sweep();
    }

    /// Drops what depends on the workspace's newest key version.
    fn forget_rotated(&self, ws: WorkspaceId) {
        self.masters.forget(ws);
        for sealer in self.sealers.purge(|key| key.0 == ws) {
            sealer.retire();
        }
    }

    /// Drops everything of a destroyed workspace; what callers still hold refuses from now on.
    fn forget_workspace(&self, ws: WorkspaceId) {
        self.masters.forget(ws);
        for sealer in self.sealers.purge(|key| key.0 == ws) {
            sealer.mark_destroyed();
        }
        for day in self.days.purge(|key| key.0 == ws) {
            day.mark_destroyed();
        }
        drop(self.deks.purge(|key| key.0 == ws));
        drop(self.pseudonyms.purge(|key| *key == ws));
    }

    fn forget_days(&self, keys: &std::collections::HashSet<DayId>) {
        for day in self.days.purge(|key| keys.contains(key)) {
            day.mark_destroyed();
        }
    }

    fn seen(&self) -> i64 {
        self.seen_generation.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aead::Cipher, masters};
    use aes_gcm::Aes256Gcm;

    #[test]
    fn full_caches_hold_less_than_64_mib_of_keys() {
        // Map slot, counters and allocator rounding, ids and other text: generously.
        let entry = |value: usize, ciphers: usize| value + ciphers * size_of::<Aes256Gcm>() + 384;
        assert_eq!(size_of::<Cipher>(), size_of::<usize>(), "the expanded key is counted apart");
        let total = DEKS * entry(size_of::<OpenedDek>(), 1)
            + DAYS * entry(size_of::<DayKey>(), 1)
            + SEALERS * entry(size_of::<RecordSealer>(), 1)
            + PSEUDONYMS * entry(size_of::<Pseudonyms>(), 0)
            + masters::CAPACITY * entry(size_of::<masters::MasterKey>(), 2);
        assert!(total <= 64 << 20, "{total} bytes");
    }
}
