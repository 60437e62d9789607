//! What differs between databases. A second one adds a variant here and leaves the verbs alone.

/// A database product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
}

impl Dialect {
    /// Type of a column of bytes.
    pub(crate) fn bytes(self) -> &'static str {
        match self {
            Self::Sqlite => "BLOB",
        }
    }

    /// Type of a primary key that grows with each row and is never used twice.
    pub(crate) fn growing_key(self) -> &'static str {
        match self {
            Self::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
        }
    }

    /// Begins a transaction that will write. SQLite takes the write lock at once: a read that grows into a write could
    /// not wait for it.
    pub(crate) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// Said on each new connection. `secure_delete=ON`, not FAST: freed bytes are overwritten (`security.md` §4).
    pub(crate) fn on_connect(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "PRAGMA busy_timeout=10000",
                "PRAGMA journal_mode=WAL",
                "PRAGMA synchronous=FULL",
                "PRAGMA secure_delete=ON",
                "PRAGMA foreign_keys=ON",
                "PRAGMA temp_store=MEMORY",
            ],
        }
    }

    /// Empties the write-ahead log, so that no older page stays in it; gives rows of (busy, …). `None` where the
    /// operator's settings do this.
    pub(crate) fn truncate_log(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("PRAGMA wal_checkpoint(TRUNCATE)"),
        }
    }
}
