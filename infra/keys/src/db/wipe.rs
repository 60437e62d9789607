//! What was overwritten leaves the database's files too (`security.md` §4).
//!
//! SQLite overwrites in place, and only its write-ahead log holds older pages. PostgreSQL never overwrites: the old row
//! stays in its page until `VACUUM`, and even then its bytes, until something else needs the room (found by looking
//! into the files). Only a table that is written anew leaves them behind, and not by `VACUUM FULL`: that takes along the
//! old rows that any snapshot in this database might still see, were it only autovacuum's, which analyses another table.
//! A changed column type copies just what is valid now. That holds readers off for as long as it takes, so a large table
//! is written anew once a day; until then its freed bytes lie in the server's files, in no dump.
//! What the server's own log, its archive and its standbys hold is the operator's to limit (`infra/docs/operate.md`).
use super::{Store, dialect::Wiping};
use crate::error::KeyError;
use sqlx::{Executor, Row};

/// Tries to empty the write-ahead log while readers hold it; each waits for the busy timeout first.
const TRUNCATE_TRIES: usize = 5;
/// Up to this size the table is written anew at once; that takes a fraction of a second.
const SMALL_BYTES: i64 = 32 << 20;
/// The expression changes nothing, and is one that PostgreSQL does not see through, so that it writes the table anew.
const WRITE_ANEW: &str = "ALTER TABLE bodies ALTER COLUMN body TYPE BYTEA USING body || ''::BYTEA";
/// The row of `meta` that says when the table was written anew, in seconds.
pub(super) const REWRITTEN: &str = "rewritten";

impl Store {
    /// Makes bytes that a transaction has overwritten leave the files. To be called after its commit.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when others keep the files in use; the destruction is to be asked for again.
    pub(crate) async fn wipe_destroyed(&self) -> Result<(), KeyError> {
        match self.dialect().wiping() {
            Wiping::EmptyLog(statement) => self.empty_log(statement).await,
            Wiping::Rewrite => self.rewrite().await,
        }
    }

    /// The same for what was replaced while its owner lives on: it will not be long.
    ///
    /// # Errors
    /// As above.
    pub(crate) async fn wipe_replaced(&self) -> Result<(), KeyError> {
        match self.dialect().wiping() {
            Wiping::EmptyLog(statement) => self.empty_log(statement).await,
            Wiping::Rewrite => Ok(self.pool().execute("VACUUM bodies").await.map(drop)?),
        }
    }

    async fn empty_log(&self, statement: &'static str) -> Result<(), KeyError> {
        for _ in 0..TRUNCATE_TRIES {
            let row = sqlx::query(statement).fetch_one(self.pool()).await?;
            if row.try_get::<i64, _>(0)? == 0 {
                return Ok(());
            }
        }
        Err(KeyError::Unavailable("the write-ahead log of the key database is in use and cannot be emptied".into()))
    }

    async fn rewrite(&self) -> Result<(), KeyError> {
        let size = sqlx::query("SELECT pg_table_size('bodies')").fetch_one(self.pool()).await?;
        if size.try_get::<i64, _>(0)? > SMALL_BYTES && !self.take_turn().await? {
            return Ok(self.pool().execute("VACUUM bodies").await.map(drop)?);
        }
        // Waits for a lock no longer than other statements do, so a dump that runs makes this fail.
        let Err(error) = self.pool().execute(WRITE_ANEW).await else { return Ok(()) };
        let again = sqlx::query("UPDATE meta SET value = 0 WHERE name = $1").bind(REWRITTEN);
        again.execute(self.pool()).await?;
        Err(error.into())
    }

    /// True for one of all processes, when the last time is most of a day ago.
    async fn take_turn(&self) -> Result<bool, KeyError> {
        let take = sqlx::query(
            "UPDATE meta SET value = CAST(extract(epoch FROM now()) AS BIGINT) WHERE name = $1 AND value < CAST(extract(epoch FROM now()) AS BIGINT) - 72000",
        );
        Ok(take.bind(REWRITTEN).execute(self.pool()).await?.rows_affected() == 1)
    }
}
