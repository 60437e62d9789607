//! What the tests share: a key store in a directory of its own, on a clock that stands still.
#![allow(dead_code, unused_macros, reason = "each test file uses a part")]
#[path = "../../../database/tests/support/mod.rs"]
mod server;

use database::Address;
use keys::{FileKms, Keyring, KeyringOptions, Kms, Vault, VaultOptions};
use schemas::{
    clock::{ManualClock, SharedEntropy, SystemEntropy},
    ids::{ConnectionId, EventId, WorkspaceId},
    time::Millis,
};
use server::{Fresh, Server};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row, any::AnyRow};
use std::{path::PathBuf, sync::Arc};
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
    /// Databases of keys and vault on a server; without, they are files.
    server: Option<[Fresh; 2]>,
}

impl Home {
    /// With SQLite.
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let kms = FileKms::open(&dir.path().join("kms"), entropy()).expect("a KMS");
        Self { dir, clock: ManualClock::at(NOW), kms, server: None }
    }

    /// With PostgreSQL.
    pub async fn postgres() -> Self {
        let server = Server::from_environment();
        Self { server: Some([server.fresh().await, server.fresh().await]), ..Self::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn is_postgres(&self) -> bool {
        self.server.is_some()
    }

    fn fresh(&self, name: &str) -> Option<&Fresh> {
        self.server.as_ref().map(|[keys, vault]| if name == "keys" { keys } else { vault })
    }

    /// Database `keys` or `vault`.
    pub fn database(&self, name: &str) -> Address {
        self.fresh(name).map_or_else(|| self.path(&format!("{name}.db")).into(), Fresh::address)
    }

    /// What another process on the same databases would open.
    pub async fn keyring(&self) -> Keyring {
        self.keyring_with(self.kms.clone()).await
    }

    pub async fn keyring_with(&self, kms: Arc<dyn Kms>) -> Keyring {
        let options =
            KeyringOptions { database: self.database("keys"), kms, clock: self.clock.clone(), entropy: entropy() };
        Keyring::open(options).await.expect("a keyring")
    }

    pub async fn vault(&self) -> Vault {
        let (kms, clock) = (self.kms.clone(), self.clock.clone());
        let options = VaultOptions { database: self.database("vault"), kms, clock, entropy: entropy() };
        Vault::open(options).await.expect("a vault")
    }

    /// All bytes of the databases, their side files and the key files.
    pub async fn bytes(&self) -> Vec<u8> {
        let mut found = Vec::new();
        for fresh in self.server.iter().flatten() {
            found.extend(fresh.raw().await);
        }
        let mut dirs = vec![self.dir.path().to_path_buf()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(&dir).expect("a directory").map(|e| e.expect("an entry").path()) {
                if entry.is_dir() {
                    dirs.push(entry);
                } else {
                    found.extend(std::fs::read(&entry).expect("a file"));
                }
            }
        }
        found
    }

    /// Runs a statement on a database, past the library. `x'…'` are bytes.
    pub async fn sql(&self, name: &str, statement: &str) -> Vec<AnyRow> {
        sqlx::any::install_default_drivers();
        let (mut connection, statement) = match self.fresh(name) {
            Some(fresh) => (fresh.superuser().await, statement.replace("x'", "'\\x")),
            None => {
                let url = format!("sqlite://{}", self.path(&format!("{name}.db")).display());
                (AnyConnection::connect(&url).await.expect("a database"), statement.to_owned())
            }
        };
        let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(&mut connection).await.expect("a statement");
        connection.close().await.expect("closed");
        rows
    }

    /// Somebody who has looked into another table of a server's database and may look again. In SQLite that would be a
    /// reader of all tables, for which every destruction waits, so there is none.
    pub async fn snapshot(&self, name: &str) -> Option<AnyConnection> {
        let mut connection = self.fresh(name)?.superuser().await;
        server::run(&mut connection, "BEGIN ISOLATION LEVEL REPEATABLE READ".to_owned()).await;
        server::run(&mut connection, "SELECT count(*) FROM meta".to_owned()).await;
        Some(connection)
    }

    /// The sealed bodies of a database that are in use, without frame and padding.
    pub async fn bodies(&self, name: &str) -> Vec<Vec<u8>> {
        let content = |row: &AnyRow| {
            let body: Vec<u8> = row.get(0);
            let length = u32::from_be_bytes(body[..4].try_into().expect("four bytes")) as usize;
            body[4..4 + length].to_vec()
        };
        let select = "SELECT body FROM bodies WHERE id NOT IN (SELECT id FROM free_bodies) ORDER BY id";
        self.sql(name, select).await.iter().map(content).collect()
    }
}

/// Makes each test twice: on SQLite, and on PostgreSQL.
#[macro_export]
macro_rules! on_each_database {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::common::Home::new()).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                #[ignore = "needs CHATMAI_TEST_POSTGRES_URL"]
                async fn $test() {
                    super::$test($crate::common::Home::postgres().await).await;
                }
            )+
        }
    };
}

pub fn entropy() -> SharedEntropy {
    Arc::new(SystemEntropy)
}

pub fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}
