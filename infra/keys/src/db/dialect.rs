//! What differs between databases. The verbs are the same for each.

/// A database product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// How what was overwritten is made to leave the database's files too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wiping {
    /// The pages themselves are overwritten (`secure_delete`); older ones are in the write-ahead log, which is emptied.
    /// The statement gives rows of (busy, …).
    EmptyLog(&'static str),
    /// An update leaves the old row where it was.
    Rewrite,
}

impl Dialect {
    /// Type of a column of bytes.
    pub(crate) fn bytes(self) -> &'static str {
        match self {
            Self::Sqlite => "BLOB",
            Self::Postgres => "BYTEA",
        }
    }

    /// Type of a primary key that grows with each row and is never used twice.
    pub(crate) fn growing_key(self) -> &'static str {
        match self {
            Self::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
            Self::Postgres => "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        }
    }

    /// Begins a transaction that will write. SQLite takes the write lock at once: a read that grows into a write could
    /// not wait for it.
    pub(crate) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        }
    }

    /// What makes a transaction the only one that writes, until it ends. Most of them decide by what they have read,
    /// and keys change rarely, so they are let in one by one, as SQLite does by itself. What a statement reads after
    /// this is what the one before has committed.
    pub(crate) fn lock(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            // Any number will do that nothing else in this database takes.
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(7116894127330462)"),
        }
    }

    /// Said on each new connection, beside what [`database::set_up`] says on every PostgreSQL connection.
    /// `secure_delete=ON`, not FAST: freed bytes are overwritten (`security.md` §4).
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
            Self::Postgres => &[],
        }
    }

    /// See [`Wiping`].
    pub(crate) fn wiping(self) -> Wiping {
        match self {
            Self::Sqlite => Wiping::EmptyLog("PRAGMA wal_checkpoint(TRUNCATE)"),
            Self::Postgres => Wiping::Rewrite,
        }
    }
}
