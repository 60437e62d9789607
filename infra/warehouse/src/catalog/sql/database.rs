//! Connections: some that write, some that read, so that a read never waits for a write.
use super::dialect::Dialect;
use crate::catalog::CatalogError;
use database::{Access, Address, connect_options, percent_encoded};
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

/// How often a new file is tried, and the time between.
const OPEN_TRIES: u32 = 100;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

/// A write that has begun. Dropped without `commit`, it changes nothing.
pub(crate) type Write = Transaction<'static, Any>;

/// The database behind the catalog and the registry.
#[derive(Debug)]
pub(crate) struct Database {
    dialect: Dialect,
    read: AnyPool,
    write: AnyPool,
}

impl Database {
    /// Opens the database, makes SQLite's file if it is missing, and brings the tables up to date.
    pub(crate) async fn open(address: &Address, clock: &SharedClock) -> Result<Self, CatalogError> {
        install_default_drivers();
        let (options, dialect) = match address {
            Address::Sqlite(path) => (sqlite(path).await?, Dialect::Sqlite),
            Address::Postgres(server) => (connect_options(server)?, Dialect::Postgres),
        };
        // Not through a pool: that would try again and again where there is no database, or one that is refused, and
        // then only say that it took too long.
        let mut first = first(&options, dialect).await?;
        super::migrations::run(&mut first, dialect, clock.now()).await?;
        first.close().await?;
        let write = pool(dialect, Access::Write).connect_with(options.clone()).await?;
        let read = pool(dialect, Access::Read).connect_with(options).await?;
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

    /// Begins a transaction that writes, once this process has a connection for it.
    pub(crate) async fn begin(&self) -> Result<Write, CatalogError> {
        Ok(self.write.begin_with(self.dialect.begin_write()).await?)
    }
}

/// A connection that is set up. Two processes that open a new SQLite file at once are in each other's way for a moment:
/// the change to a write-ahead log does not wait for a lock, whatever the busy timeout says.
async fn first(options: &AnyConnectOptions, dialect: Dialect) -> Result<AnyConnection, CatalogError> {
    let mut tries = 0;
    loop {
        let mut connection = AnyConnection::connect_with(options).await?;
        match set_up(&mut connection, dialect, Access::Write).await.map_err(CatalogError::from) {
            Ok(()) => return Ok(connection),
            Err(CatalogError::Unavailable(_)) if dialect == Dialect::Sqlite && tries < OPEN_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
        drop(connection);
        tokio::time::sleep(OPEN_PAUSE).await;
    }
}

fn pool(dialect: Dialect, access: Access) -> AnyPoolOptions {
    let connections = dialect.connections(access);
    // SQLite gives each a thread that inherits the niceness of the one that asks first. Those are made at once, by whoever
    // opens the catalog: made later by a job, one would stand back for ever, also when the front reads with it.
    let at_once = if dialect == Dialect::Sqlite { connections } else { 0 };
    AnyPoolOptions::new()
        .max_connections(connections)
        .min_connections(at_once)
        .acquire_timeout(dialect.acquire())
        .max_lifetime(dialect.lifetime())
        .idle_timeout(None)
        .test_before_acquire(dialect.may_be_lost())
        .after_connect(move |connection, _| Box::pin(set_up(connection, dialect, access)))
        .after_release(move |connection, _| {
            Box::pin(async move { Ok(dialect != Dialect::Sqlite || database::is_reusable(connection).await?) })
        })
}

async fn set_up(connection: &mut AnyConnection, dialect: Dialect, access: Access) -> Result<(), sqlx::Error> {
    if dialect == Dialect::Postgres {
        database::set_up(connection, access).await?;
    }
    for statement in dialect.connection_setup(access) {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The way to SQLite's file, which is made if it is missing.
async fn sqlite(path: &Path) -> Result<AnyConnectOptions, CatalogError> {
    let owned = path.to_path_buf();
    let made = tokio::task::spawn_blocking(move || make_file(&owned)).await;
    made.map_err(io::Error::other)
        .and_then(|made| made)
        .map_err(|error| CatalogError::Unavailable(format!("{}: {error}", path.display())))?;
    let text = path.to_str().ok_or_else(|| CatalogError::Unavailable("the database's path is not UTF-8".into()))?;
    Ok(AnyConnectOptions::from_str(&format!("sqlite:{}", percent_encoded(text.as_bytes())))?)
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

/// A statement that was put together at run time. Only from constant parts: values are always parameters.
pub(crate) fn statement(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}
