//! Connections: one that writes, several that read, so that a read never waits for a write.
use super::dialect::Dialect;
use crate::catalog::CatalogError;
use schemas::clock::SharedClock;
use sqlx::{
    Any, AnyConnection, AnyPool, AssertSqlSafe, Connection, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
};
use std::{
    fs::{File, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    str::FromStr,
    time::Duration,
};

/// Connections that read. Each is a thread and up to 2 MB of pages.
const READERS: u32 = 4;
/// How long a caller waits for a connection. A little more than the wait for another process's write lock.
const ACQUIRE: Duration = Duration::from_secs(15);

/// A write that has begun. Dropped without `commit`, it changes nothing.
pub(crate) type Write = Transaction<'static, Any>;

/// The database behind the catalog and the registry.
#[derive(Debug)]
pub(crate) struct Database {
    dialect: Dialect,
    read: AnyPool,
    /// One connection: it is the gate that lets this process's writes in one by one. Without it they would wait for
    /// each other inside SQLite, which does so by sleeping and is not fair.
    write: AnyPool,
}

impl Database {
    /// Opens the file, makes it if it is missing, and brings its tables up to date.
    pub(crate) async fn open(path: &Path, clock: &SharedClock) -> Result<Self, CatalogError> {
        let (owned, dialect) = (path.to_path_buf(), Dialect::Sqlite);
        let made = tokio::task::spawn_blocking(move || make_file(&owned)).await;
        made.map_err(io::Error::other)
            .and_then(|made| made)
            .map_err(|error| CatalogError::Unavailable(format!("{}: {error}", path.display())))?;
        install_default_drivers();
        let options = connect_options(path)?;
        // Not through a pool: that would try again and again where the file is no database, and then only say that it
        // took too long.
        let mut first = AnyConnection::connect_with(&options).await?;
        set_up(&mut first, dialect, true).await?;
        super::migrations::run(&mut first, dialect, clock.now()).await?;
        first.close().await?;
        let write = pool(dialect, true, 1).connect_with(options.clone()).await?;
        let read = pool(dialect, false, READERS).connect_with(options).await?;
        Ok(Self { dialect, read, write })
    }

    /// Which SQL it speaks.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// For statements that only read.
    pub(crate) fn read(&self) -> &AnyPool {
        &self.read
    }

    /// Begins a transaction that writes, once no other write of this process runs.
    pub(crate) async fn begin(&self) -> Result<Write, CatalogError> {
        Ok(self.write.begin_with(self.dialect.begin_write()).await?)
    }
}

fn pool(dialect: Dialect, writes: bool, connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .max_lifetime(None)
        .idle_timeout(None)
        // The connection is a thread of this process; it does not go away.
        .test_before_acquire(false)
        .after_connect(move |connection, _| Box::pin(set_up(connection, dialect, writes)))
}

async fn set_up(connection: &mut AnyConnection, dialect: Dialect, writes: bool) -> Result<(), sqlx::Error> {
    for statement in dialect.connection_setup(writes) {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

/// SQLite gives the files beside the database (`-wal`, `-shm`) its mode, so it has to be right before the first open.
fn make_file(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            file.sync_all()?;
            // The name too has to survive a power cut.
            let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(directory)?.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::set_permissions(path, Permissions::from_mode(0o600))
        }
        Err(error) => Err(error),
    }
}

fn connect_options(path: &Path) -> Result<AnyConnectOptions, CatalogError> {
    let text = path.to_str().ok_or_else(|| CatalogError::Unavailable("the database's path is not UTF-8".into()))?;
    // A path may hold any character, a URL not.
    let mut url = String::from("sqlite:");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => url.push(byte as char),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(AnyConnectOptions::from_str(&url)?)
}

/// A statement that was put together at run time. Only from constant parts: values are always parameters.
pub(crate) fn statement(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}
