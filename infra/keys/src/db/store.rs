//! One database: its pool, its write transactions and its generation.
use super::{dialect::Dialect, files};
use crate::error::KeyError;
use sqlx::{
    Any, AnyPool, AssertSqlSafe, Executor, Row, SqlSafeStr, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use std::{path::Path, str::FromStr, time::Duration};

/// A write transaction; dropped without commit, it is rolled back.
pub(crate) type Tx = Transaction<'static, Any>;

/// Version of the tables. A build refuses a newer one.
const FORMAT: i64 = 1;
const CONNECTIONS: u32 = 4;
/// Tries to empty the write-ahead log while readers hold it; each waits for the busy timeout first.
const TRUNCATE_TRIES: usize = 5;

/// A database of keys.
pub(crate) struct Store {
    pool: AnyPool,
    dialect: Dialect,
}

impl Store {
    /// Opens the database, makes the file and the tables if they are missing.
    pub(crate) async fn open(path: &Path, tables: fn(Dialect) -> Vec<String>) -> Result<Self, KeyError> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::Sqlite;
        let options = AnyConnectOptions::from_str(&files::sqlite_address(path)?)?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for statement in dialect.on_connect() {
                        connection.execute(*statement).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        let store = Self { pool, dialect };
        store.make_tables(tables).await?;
        Ok(store)
    }

    async fn make_tables(&self, tables: fn(Dialect) -> Vec<String>) -> Result<(), KeyError> {
        let mut tx = self.begin().await?;
        tx.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL)").await?;
        for (name, value) in [("format", FORMAT), ("generation", 1)] {
            let insert = sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING");
            insert.bind(name).bind(value).execute(&mut *tx).await?;
        }
        let row = sqlx::query("SELECT value FROM meta WHERE name = 'format'").fetch_one(&mut *tx).await?;
        let format: i64 = row.try_get(0)?;
        if format > FORMAT {
            return Err(KeyError::Unavailable(format!("the key database has format {format}, newer than this build")));
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

    /// Begins a write transaction.
    pub(crate) async fn begin(&self) -> Result<Tx, KeyError> {
        Ok(self.pool.begin_with(self.dialect.begin_write()).await?)
    }

    /// The number that moves with each change that other processes must learn of.
    pub(crate) async fn generation(&self) -> Result<i64, KeyError> {
        let row = sqlx::query("SELECT value FROM meta WHERE name = 'generation'").fetch_one(&self.pool).await?;
        Ok(row.try_get(0)?)
    }

    /// Empties the write-ahead log, so that bytes overwritten in the database are not in it any more. To be called
    /// after the commit.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when readers keep it in use; the destruction is to be asked for again.
    pub(crate) async fn truncate_log(&self) -> Result<(), KeyError> {
        let Some(statement) = self.dialect.truncate_log() else { return Ok(()) };
        for _ in 0..TRUNCATE_TRIES {
            let row = sqlx::query(statement).fetch_one(&self.pool).await?;
            if row.try_get::<i64, _>(0)? == 0 {
                return Ok(());
            }
        }
        Err(KeyError::Unavailable("the write-ahead log of the key database is in use and cannot be emptied".into()))
    }
}

/// Moves the generation and returns the new one.
pub(crate) async fn next_generation(tx: &mut Tx) -> Result<i64, KeyError> {
    let update = sqlx::query("UPDATE meta SET value = value + 1 WHERE name = 'generation' RETURNING value");
    let rows = update.fetch_all(&mut **tx).await?;
    let row = rows.first().ok_or_else(|| KeyError::Integrity("the key database has no generation".into()))?;
    Ok(row.try_get(0)?)
}
