//! What the tests share: a key store in a directory of its own, on a clock that stands still.
#![allow(dead_code, reason = "each test file uses a part")]
use keys::{FileKms, Keyring, KeyringOptions, Kms, Vault, VaultOptions};
use schemas::{
    clock::{ManualClock, SharedEntropy, SystemEntropy},
    ids::{ConnectionId, EventId, WorkspaceId},
    time::Millis,
};
use sqlx::{Row, any::AnyRow};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

pub const A: WorkspaceId = WorkspaceId([0xa; 16]);
pub const B: WorkspaceId = WorkspaceId([0xb; 16]);
pub const CONNECTION: ConnectionId = ConnectionId([0xc; 16]);
pub const EVENT: EventId = EventId([0xe; 16]);
pub const NOW: Millis = Millis(1_795_335_330_123);

pub struct Home {
    pub dir: TempDir,
    pub clock: Arc<ManualClock>,
    pub kms: Arc<dyn Kms>,
}

impl Home {
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let kms = FileKms::open(&dir.path().join("kms"), entropy()).expect("a KMS");
        Self { dir, clock: ManualClock::at(NOW), kms }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What another process on the same files would open.
    pub async fn keyring(&self) -> Keyring {
        self.keyring_with(self.kms.clone()).await
    }

    pub async fn keyring_with(&self, kms: Arc<dyn Kms>) -> Keyring {
        let options = KeyringOptions {
            database: self.path("keys.db").into(),
            kms,
            clock: self.clock.clone(),
            entropy: entropy(),
        };
        Keyring::open(options).await.expect("a keyring")
    }

    pub async fn vault(&self) -> Vault {
        let (kms, clock) = (self.kms.clone(), self.clock.clone());
        let options = VaultOptions { database: self.path("vault.db").into(), kms, clock, entropy: entropy() };
        Vault::open(options).await.expect("a vault")
    }

    /// True when the bytes are in a database file, its side files or a key file.
    pub fn holds(&self, needle: &[u8]) -> bool {
        let mut found = false;
        let mut dirs = vec![self.dir.path().to_path_buf()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(&dir).expect("a directory").map(|e| e.expect("an entry").path()) {
                if entry.is_dir() {
                    dirs.push(entry);
                } else {
                    found |= contains(&std::fs::read(&entry).expect("a file"), needle);
                }
            }
        }
        found
    }
}

pub fn entropy() -> SharedEntropy {
    Arc::new(SystemEntropy)
}

pub fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

/// Runs a statement on a database file, past the library.
pub async fn sql(path: &Path, statement: &'static str) -> Vec<AnyRow> {
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&format!("sqlite://{}", path.display())).await.expect("a database");
    let rows = sqlx::query(statement).fetch_all(&pool).await.expect("a statement");
    pool.close().await;
    rows
}

/// The sealed bodies of a database that are in use, without frame and padding.
pub async fn bodies(path: &Path) -> Vec<Vec<u8>> {
    let content = |row: &AnyRow| {
        let body: Vec<u8> = row.get(0);
        let length = u32::from_be_bytes(body[..4].try_into().expect("four bytes")) as usize;
        body[4..4 + length].to_vec()
    };
    sql(path, "SELECT body FROM bodies WHERE id NOT IN (SELECT id FROM free_bodies) ORDER BY id")
        .await
        .iter()
        .map(content)
        .collect()
}
