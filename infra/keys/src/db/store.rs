//! One database: its pool, its write transactions and its generation.
use super::{dialect::Dialect, files, wipe};
use crate::error::KeyError;
use database::{Access, Address, connect_options};
use sqlx::{
    Any, AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor, Row, SqlSafeStr, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use std::{str::FromStr, time::Duration};

/// A write transaction; dropped without commit, it is rolled back.
pub(crate) type Tx = Transaction<'static, Any>;

/// Version of the tables. A build refuses a newer one.
const FORMAT: i64 = 1;
const CONNECTIONS: u32 = 4;
/// How long a caller waits for a connection. A restart of a server is waited for; what takes longer is told.
const ACQUIRE: Duration = Duration::from_secs(10);

/// A database of keys.
pub(crate) struct Store {
    pool: AnyPool,
    dialect: Dialect,
}

impl Store {
    /// Opens the database, makes SQLite's file and the tables if they are missing. `purpose` is what it is for, and a
    /// database for something else is refused.
    pub(crate) async fn open(
        address: &Address,
        purpose: Purpose,
        tables: fn(Dialect) -> Vec<String>,
    ) -> Result<Self, KeyError> {
        sqlx::any::install_default_drivers();
        let (dialect, options) = match address {
            Address::Sqlite(path) => (Dialect::Sqlite, AnyConnectOptions::from_str(&files::sqlite_address(path)?)?),
            Address::Postgres(server) => (Dialect::Postgres, connect_options(server)?),
        };
        if dialect == Dialect::Postgres {
            // Not through a pool: that would try again and again where a server is refused, and then only say that it
            // took too long. A file is worth trying again: two that open a new one at once are in each other's way.
            let mut first = AnyConnection::connect_with(&options).await?;
            set_up(&mut first, dialect).await?;
            first.close().await?;
        }
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .after_connect(move |connection, _| Box::pin(set_up(connection, dialect)))
            .after_release(move |connection, _| {
                Box::pin(async move { Ok(dialect != Dialect::Sqlite || database::is_reusable(connection).await?) })
            })
            .connect_with(options)
            .await?;
        let store = Self { pool, dialect };
        store.make_tables(purpose, tables).await?;
        Ok(store)
    }

    async fn make_tables(&self, purpose: Purpose, tables: fn(Dialect) -> Vec<String>) -> Result<(), KeyError> {
        let mut tx = self.begin().await?;
        tx.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL)").await?;
        for (name, value) in [("format", FORMAT), ("generation", 1), ("purpose", purpose as i64), (wipe::REWRITTEN, 0)]
        {
            let insert = sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");
            insert.bind(name).bind(value).execute(&mut *tx).await?;
        }
        let format = meta(&mut tx, "format").await?;
        if format > FORMAT {
            return Err(KeyError::Unavailable(format!("the key database has format {format}, newer than this build")));
        }
        if meta(&mut tx, "purpose").await? != purpose as i64 {
            return Err(KeyError::Integrity("the database of keys is one for something else".into()));
        }
        for statement in tables(self.dialect) {
            tx.execute(AssertSqlSafe(statement).into_sql_str()).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// For single statements that read.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Which SQL it speaks.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Begins a write transaction, the only one until it ends.
    pub(crate) async fn begin(&self) -> Result<Tx, KeyError> {
        let mut tx = self.pool.begin_with(self.dialect.begin_write()).await?;
        if let Some(lock) = self.dialect.lock() {
            tx.execute(lock).await?;
        }
        Ok(tx)
    }

    /// The number that moves with each change that other processes must learn of.
    pub(crate) async fn generation(&self) -> Result<i64, KeyError> {
        let row = sqlx::query("SELECT value FROM meta WHERE name = 'generation'").fetch_one(&self.pool).await?;
        Ok(row.try_get(0)?)
    }
}

/// What a database of keys is for, as its own table says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The keys of data.
    Keys = 1,
    /// Platform tokens.
    Vault = 2,
}

async fn set_up(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), sqlx::Error> {
    if dialect == Dialect::Postgres {
        database::set_up(connection, Access::Write).await?;
    }
    for statement in dialect.on_connect() {
        connection.execute(*statement).await?;
    }
    Ok(())
}

async fn meta(tx: &mut Tx, name: &str) -> Result<i64, KeyError> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = $1").bind(name).fetch_one(&mut **tx).await?;
    Ok(row.try_get(0)?)
}

/// Moves the generation and returns the new one.
pub(crate) async fn next_generation(tx: &mut Tx) -> Result<i64, KeyError> {
    let update = sqlx::query("UPDATE meta SET value = value + 1 WHERE name = 'generation' RETURNING value");
    let rows = update.fetch_all(&mut **tx).await?;
    let row = rows.first().ok_or_else(|| KeyError::Integrity("the key database has no generation".into()))?;
    Ok(row.try_get(0)?)
}
