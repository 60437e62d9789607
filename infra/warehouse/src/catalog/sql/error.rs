//! What a database's error means for the caller. Decided by codes, never by text.
use crate::catalog::CatalogError;
use sqlx::error::DatabaseError;

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

/// True when asking again cannot help.
fn is_damage(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    match code.parse::<u32>() {
        // SQLite's extended result codes; the low byte is the primary one.
        Ok(code) if code < 0x1_0000 => matches!(
            code & 0xff,
            1 // ERROR: a statement that does not fit the tables
            | 11 // CORRUPT
            | 19 // CONSTRAINT
            | 20 // MISMATCH
            | 21 // MISUSE
            | 25 // RANGE
            | 26 // NOTADB
        ),
        // SQLSTATE: five characters; the first two are the class.
        _ => matches!(code.get(..2), Some("22" | "23" | "42" | "XX")),
    }
}

/// True when a unique index refused a row.
pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if database.is_unique_violation())
}
