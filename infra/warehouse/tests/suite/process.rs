//! A process with a registry, for its tests.
#![allow(dead_code, unused_macros, reason = "each test file uses a part")]
#[path = "../../../database/tests/support/mod.rs"]
mod server;

use database::Address;
use keys::{FileKms, Keyring, KeyringOptions};
use schemas::{
    clock::{ManualClock, SeededEntropy, SharedEntropy},
    time::Millis,
};
use server::{Fresh, Server};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
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

/// Where several processes keep their things.
pub struct House {
    pub directory: tempfile::TempDir,
    /// Databases of keys and catalog on a server; without, they are files.
    server: Option<[Fresh; 2]>,
}

impl House {
    /// With SQLite.
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory"), server: None }
    }

    /// With PostgreSQL.
    pub async fn postgres() -> Self {
        let server = Server::from_environment();
        Self { server: Some([server.fresh().await, server.fresh().await]), ..Self::new() }
    }

    fn database(&self, name: &str) -> Address {
        match &self.server {
            Some([keys, _]) if name == "keys" => keys.address(),
            Some([_, catalog]) => catalog.address(),
            None => self.directory.path().join(format!("{name}.db")).into(),
        }
    }

    /// All that lies in the catalog's database, as bytes.
    pub async fn catalog_bytes(&self) -> Vec<u8> {
        if let Some([_, catalog]) = &self.server {
            return catalog.raw().await;
        }
        let mut bytes = Vec::new();
        for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
            bytes.extend(std::fs::read(self.directory.path().join(name)).expect("read"));
        }
        bytes
    }
}

pub async fn process(house: &House) -> Process {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(SEED.fetch_add(1, Ordering::Relaxed)));
    let clock = ManualClock::at(NOW);
    let kms = FileKms::open(&house.directory.path().join("kms"), entropy.clone()).expect("a kms");
    let options =
        KeyringOptions { database: house.database("keys"), kms, clock: clock.clone(), entropy: entropy.clone() };
    let keyring = Keyring::open(options).await.expect("a keyring");
    let options = SqlCatalogOptions { database: house.database("catalog"), clock: clock.clone() };
    let catalog = SqlCatalog::open(options).await.expect("a catalog");
    let options = RegistryOptions { catalog, keyring: keyring.clone(), slots: SLOTS, clock: clock.clone(), entropy };
    let registry = Registry::open(options).await.expect("a registry");
    Process { registry, keyring, clock }
}

/// Makes each test twice: on SQLite, and on PostgreSQL.
#[macro_export]
macro_rules! on_each_database {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::process::House::new()).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs CHATMAI_TEST_POSTGRES_URL"]
                async fn $test() {
                    super::$test($crate::process::House::postgres().await).await;
                }
            )+
        }
    };
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
