//! A process with a registry, for its tests.
#![allow(dead_code, reason = "each test file uses a part")]
use keys::{FileKms, Keyring, KeyringOptions};
use schemas::{
    clock::{ManualClock, SeededEntropy, SharedEntropy},
    time::Millis,
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use warehouse::{
    catalog::{SqlCatalog, SqlCatalogOptions},
    registry::{Registry, RegistryError, RegistryOptions},
};

pub const NOW: Millis = Millis(1_795_335_330_000);
const SLOTS: u32 = 4;
pub const LINE: &str = "U0123456789abcdef0123456789abcdef";

/// A process: its own handles on the shared files, and its own sequence of random bytes.
pub struct Process {
    pub registry: Registry,
    pub keyring: Keyring,
    pub clock: Arc<ManualClock>,
}

pub async fn process(directory: &Path) -> Process {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(SEED.fetch_add(1, Ordering::Relaxed)));
    let clock = ManualClock::at(NOW);
    let kms = FileKms::open(&directory.join("kms"), entropy.clone()).expect("a kms");
    let options = KeyringOptions {
        database: directory.join("keys.db").into(),
        kms,
        clock: clock.clone(),
        entropy: entropy.clone(),
    };
    let keyring = Keyring::open(options).await.expect("a keyring");
    let options = SqlCatalogOptions { database: directory.join("catalog.db").into(), clock: clock.clone() };
    let catalog = SqlCatalog::open(options).await.expect("a catalog");
    let options = RegistryOptions { catalog, keyring: keyring.clone(), slots: SLOTS, clock: clock.clone(), entropy };
    let registry = Registry::open(options).await.expect("a registry");
    Process { registry, keyring, clock }
}

pub fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

pub fn conflict<T: std::fmt::Debug>(result: Result<T, RegistryError>) {
    assert!(matches!(result, Err(RegistryError::Conflict(_))), "{result:?}");
}

pub fn refused<T: std::fmt::Debug>(result: Result<T, RegistryError>) {
    assert!(matches!(result, Err(RegistryError::Refused(_))), "{result:?}");
}

pub fn not_found<T: std::fmt::Debug>(result: Result<T, RegistryError>) {
    assert!(matches!(result, Err(RegistryError::NotFound(_))), "{result:?}");
}
