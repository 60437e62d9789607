//! The few words in which the databases differ. All statements are otherwise the same text for each.
use database::Access;
use std::time::Duration;

/// Which SQL is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    /// One file, one writer.
    Sqlite,
    /// A server, many writers.
    Postgres,
}

impl Dialect {
    /// The type of byte strings.
    pub(crate) fn blob(self) -> &'static str {
        match self {
            Self::Sqlite => "BLOB",
            Self::Postgres => "BYTEA",
        }
    }

    /// How a transaction that will write begins. SQLite must take the write lock at once: one that first reads and then
    /// writes can fail without waiting. PostgreSQL's transactions begin with an `UPDATE` of the row that guards them;
    /// each statement after it sees what others have committed before, whatever the server's default is.
    pub(crate) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        }
    }

    /// What lets one process at a time change the tables, until its transaction ends. SQLite's write lock does.
    pub(crate) fn lock_tables(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            // Any number will do that nothing else in this database takes.
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(7116894127330461)"),
        }
    }

    /// How many parameters a bulk statement best has. SQLite looks numbered parameters up one after the other, so the
    /// cost of a statement grows with the square of their number, and a statement costs no round trip. Measured with
    /// 10,000 files: 2,048 take ten times as long as 128. PostgreSQL takes up to 65,535; a statement costs a round trip.
    pub(crate) fn bulk_parameters(self) -> usize {
        match self {
            Self::Sqlite => 128,
            Self::Postgres => 8_192,
        }
    }

    /// How many connections there are. SQLite's readers are a thread and up to 2 MB of pages each; its one writer is
    /// the gate that lets this process's writes in one by one. Without it they would wait for each other inside SQLite,
    /// which does so by sleeping and is not fair. In PostgreSQL slots are written side by side.
    pub(crate) fn connections(self, access: Access) -> u32 {
        match (self, access) {
            (Self::Sqlite, Access::Write) => 1,
            (Self::Sqlite | Self::Postgres, _) => 4,
        }
    }

    /// How long a caller waits for a connection: with SQLite a little more than the wait for another process's write
    /// lock; with PostgreSQL a restart of the server is waited for, and what takes longer is told.
    pub(crate) fn acquire(self) -> Duration {
        match self {
            Self::Sqlite => Duration::from_secs(15),
            Self::Postgres => Duration::from_secs(10),
        }
    }

    /// Whether a connection can go away, so that it is asked before it is used. SQLite's is a thread of this process.
    pub(crate) fn may_be_lost(self) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres => true,
        }
    }

    /// When a connection is made anew: so that a server behind another address, a changed password or a changed
    /// certificate is noticed.
    pub(crate) fn lifetime(self) -> Option<Duration> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(Duration::from_secs(1800)),
        }
    }

    /// What each new connection is told, beside what [`database::set_up`] tells every PostgreSQL connection.
    pub(crate) fn connection_setup(self, access: Access) -> Vec<&'static str> {
        match self {
            Self::Sqlite => {
                let mut setup = vec![
                    // First: the other settings may have to wait for a lock already.
                    "PRAGMA busy_timeout = 10000",
                    "PRAGMA journal_mode = WAL",
                    // A commit is on the disk when it returns (in WAL mode, NORMAL would not promise that).
                    "PRAGMA synchronous = FULL",
                    // What is deleted is overwritten.
                    "PRAGMA secure_delete = ON",
                    "PRAGMA foreign_keys = ON",
                    // Sorting and grouping never go to a temporary file.
                    "PRAGMA temp_store = MEMORY",
                ];
                match access {
                    // Negative: KiB. A commit touches pages all over the files' indexes.
                    Access::Write => setup.push("PRAGMA cache_size = -16384"),
                    Access::Read => setup.push("PRAGMA query_only = ON"),
                }
                setup
            }
            Self::Postgres => Vec::new(),
        }
    }
}
