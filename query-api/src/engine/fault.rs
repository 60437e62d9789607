//! What goes wrong inside, by what is done next: take a newer snapshot and try once more, or answer.
use super::types::QueryError;
use event_log::LogError;
use keys::{KeyError, KeyErrorClass};
use records::RecordError;
use schemas::columns::ColumnError;
use warehouse::{catalog::CatalogError, duplicates::DuplicateError, file::FileError};

/// Why something could not be read.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// A pinned file is gone: the snapshot is too old.
    Gone,
    /// The key of a pinned file is destroyed: its day has expired since, or the workspace is deleted.
    KeyDestroyed,
    /// Trying again on a newer snapshot does not help.
    Query(QueryError),
}

impl Fault {
    /// What a task says that did not end by itself.
    pub fn stopping() -> Self {
        Self::Query(QueryError::Unavailable("the process is stopping".into()))
    }

    /// True when the newest snapshot may give an answer where this one did not.
    pub fn is_outdated(&self) -> bool {
        matches!(self, Self::Gone | Self::KeyDestroyed)
    }

    /// True when the workspace is gone for good.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Query(QueryError::KeyDestroyed))
    }
}

impl From<Fault> for QueryError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Gone => Self::Unavailable("a data file is gone".into()),
            Fault::KeyDestroyed => Self::KeyDestroyed,
            Fault::Query(error) => error,
        }
    }
}

impl From<QueryError> for Fault {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<FileError> for Fault {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Gone(_) => Self::Gone,
            FileError::KeyDestroyed(_) => Self::KeyDestroyed,
            FileError::Unavailable(why) => Self::Query(QueryError::Unavailable(why)),
            FileError::Integrity { .. } | FileError::ForeignFile(_) => {
                Self::Query(QueryError::Integrity(error.to_string()))
            }
        }
    }
}

impl From<CatalogError> for Fault {
    fn from(error: CatalogError) -> Self {
        Self::Query(match error {
            CatalogError::Unavailable(why) => QueryError::Unavailable(why),
            other => QueryError::Integrity(other.to_string()),
        })
    }
}

impl From<DuplicateError> for Fault {
    fn from(error: DuplicateError) -> Self {
        match error {
            DuplicateError::File(error) => error.into(),
            DuplicateError::Catalog(error) => error.into(),
        }
    }
}

impl From<LogError> for Fault {
    fn from(error: LogError) -> Self {
        Self::Query(match error {
            // Pins keep the log from being truncated; another process's truncation heals with the next snapshot.
            LogError::Unavailable(_) | LogError::Gone { .. } => QueryError::Unavailable(error.to_string()),
            LogError::NoSuchSlot(_) | LogError::Damaged(_) => QueryError::Integrity(error.to_string()),
        })
    }
}

impl From<RecordError> for Fault {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Unavailable(why) => Self::Query(QueryError::Unavailable(why)),
            RecordError::KeyDestroyed => Self::Query(QueryError::KeyDestroyed),
            RecordError::Integrity(why) => Self::Query(QueryError::Integrity(why)),
            RecordError::Log(error) => error.into(),
        }
    }
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        Self::Query(match error.class() {
            KeyErrorClass::Retry => QueryError::Unavailable(error.to_string()),
            KeyErrorClass::Destroyed => QueryError::KeyDestroyed,
            KeyErrorClass::Integrity => QueryError::Integrity(error.to_string()),
        })
    }
}

impl From<ColumnError> for Fault {
    fn from(error: ColumnError) -> Self {
        Self::Query(QueryError::Integrity(error.to_string()))
    }
}

impl From<arrow::error::ArrowError> for Fault {
    /// The text of an Arrow error could show a value; its kind would not help anybody.
    fn from(_: arrow::error::ArrowError) -> Self {
        Self::Query(QueryError::Integrity("columns do not fit their schema".into()))
    }
}
