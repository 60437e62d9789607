//! The few words in which the databases differ. All statements are otherwise the same text for each.

/// Which SQL is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    /// One file, one writer.
    Sqlite,
}

impl Dialect {
    /// The type of byte strings.
    pub(crate) fn blob(self) -> &'static str {
        match self {
            Self::Sqlite => "BLOB",
        }
    }

    /// How a transaction that will write begins. SQLite must take the write lock at once: one that first reads and then
    /// writes can fail without waiting.
    pub(crate) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }

    /// How many parameters a bulk statement best has. SQLite looks numbered parameters up one after the other, so the
    /// cost of a statement grows with the square of their number, and a statement costs no round trip. Measured with
    /// 10,000 files: 2,048 take ten times as long as 128.
    pub(crate) fn bulk_parameters(self) -> usize {
        match self {
            Self::Sqlite => 128,
        }
    }

    /// What each new connection is told.
    pub(crate) fn connection_setup(self, writes: bool) -> Vec<&'static str> {
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
                if writes {
                    // Negative: KiB. A commit touches pages all over the files' indexes.
                    setup.push("PRAGMA cache_size = -16384");
                } else {
                    setup.push("PRAGMA query_only = ON");
                }
                setup
            }
        }
    }
}
