//! Can asking again help? Decided by codes, never by text.
use sqlx::error::DatabaseError;

/// True when asking again cannot help: the statement does not fit the tables, a row breaks a rule of theirs, or the
/// database is broken. Locks, deadlocks, failed serialisation, a full disk, a server that restarts or a lost connection
/// are not damage: waiting and asking again is the cautious answer to all that is unknown.
pub fn is_damage(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    match code.parse::<u32>() {
        // SQLite's extended result codes, of at most four digits; the low byte is the primary one.
        Ok(number) if code.len() < 5 => is_sqlite_damage(number),
        _ => is_sqlstate_damage(&code),
    }
}

fn is_sqlite_damage(number: u32) -> bool {
    matches!(
        number & 0xff,
        1 // ERROR: a statement that does not fit the tables
        | 11 // CORRUPT
        | 19 // CONSTRAINT
        | 20 // MISMATCH
        | 21 // MISUSE
        | 25 // RANGE
        | 26 // NOTADB
    )
}

/// SQLSTATE: five characters, of which the first two are the class.
fn is_sqlstate_damage(code: &str) -> bool {
    matches!(
        code.get(..2),
        Some(
            "22" // data exception
            | "23" // a constraint
            | "42" // a statement that does not fit the tables, or lacks a right
            | "XX" // internal error, corrupted data
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_no_damage() {
        for passing in [
            "40001", // serialisation failure
            "40P01", // deadlock
            "55P03", // lock timeout
            "57P01", // the server is shut down
            "57P02", // it crashed
            "57P03", // it starts
            "57014", // cancelled
            "53300", // too many connections
            "53100", // disk full
            "08006", // connection failure
            "25006", // it became a standby
            "25P03", // idle in a transaction for too long
            "58030", // I/O error
            "28P01", // the password is being rotated
            "3D000", // the database is being restored
        ] {
            assert!(!is_sqlstate_damage(passing), "{passing}");
        }
        for damage in
            ["22P02", "22003", "23505", "23503", "23502", "42P01", "42703", "42501", "42804", "XX000", "XX001"]
        {
            assert!(is_sqlstate_damage(damage), "{damage}");
        }
    }

    #[test]
    fn sqlite_extended_codes_count_by_their_primary_one() {
        for damage in [1, 11, 19, 19 + (8 << 8), 26] {
            assert!(is_sqlite_damage(damage), "{damage}");
        }
        for passing in [5, 5 + (2 << 8), 6, 10, 13, 14] {
            assert!(!is_sqlite_damage(passing), "{passing}");
        }
    }
}
