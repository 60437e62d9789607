//! What a database's error means for the caller. Decided by codes, never by text.
use crate::catalog::CatalogError;
use database::is_damage;

impl From<sqlx::Error> for CatalogError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if is_damage(&**database) => Self::Damaged(error.to_string()),
            // A value that does not decode could be shown by the error's own text, so only its place is.
            sqlx::Error::ColumnDecode { index, .. } => Self::Damaged(format!("column {index} does not decode")),
            sqlx::Error::Decode(_) => Self::Damaged("a value does not decode".into()),
            sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::RowNotFound
            | sqlx::Error::AnyDriverError(_)
            | sqlx::Error::Encode(_)
            | sqlx::Error::InvalidArgument(_) => Self::Damaged(error.to_string()),
            // Busy, locked, full, I/O, pool and connection errors, and whatever a later library adds: waiting and
            // asking again is the cautious answer.
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// True when a unique index refused a row.
pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if database.is_unique_violation())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
    use std::time::Duration;

    #[tokio::test]
    async fn waiting_helps_against_locks_and_against_nothing_else_here() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("a.db"))
            .create_if_missing(true)
            .busy_timeout(Duration::ZERO);
        let pool = SqlitePool::connect_with(options).await.expect("opened");
        sqlx::query("CREATE TABLE t (n BIGINT PRIMARY KEY)").execute(&pool).await.expect("made");
        let lock = pool.begin_with("BEGIN IMMEDIATE").await.expect("locked");
        let busy = sqlx::query("INSERT INTO t VALUES (1)").execute(&pool).await.expect_err("locked");
        assert!(!is_unique_violation(&busy));
        assert!(matches!(CatalogError::from(busy), CatalogError::Unavailable(_)));
        lock.rollback().await.expect("unlocked");
        sqlx::query("INSERT INTO t VALUES (1)").execute(&pool).await.expect("free");
        let twice = sqlx::query("INSERT INTO t VALUES (1)").execute(&pool).await.expect_err("twice");
        assert!(is_unique_violation(&twice));
        assert!(matches!(CatalogError::from(twice), CatalogError::Damaged(_)));
        let other = sqlx::query("SELECT other FROM t").execute(&pool).await.expect_err("no such column");
        assert!(matches!(CatalogError::from(other), CatalogError::Damaged(_)));
        assert!(matches!(CatalogError::from(sqlx::Error::PoolTimedOut), CatalogError::Unavailable(_)));
    }
}
