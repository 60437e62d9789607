//! Where a data file lies in the bucket: opaque ids, a table, a day and a class, nothing else.
use crate::catalog::DataFile;
use schemas::{
    ids::{DataFileId, WorkspaceId},
    partition::{PartitionDay, RetentionClass, Table},
};
use std::{fmt, str::FromStr};

/// The path of a data file: `w/<workspace>/<table>/<yyyy-mm-dd>/r<days>/<file>.parquet`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DataFilePath {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Which table.
    pub table: Table,
    /// Which partition day.
    pub day: PartitionDay,
    /// Which retention class.
    pub class: RetentionClass,
    /// Which file.
    pub file: DataFileId,
}

/// A text that is no path of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a data file")]
pub struct InvalidPath;

impl DataFilePath {
    /// The path of a file that the catalog knows.
    pub fn of(file: &DataFile) -> Self {
        Self { workspace: file.workspace, table: file.table, day: file.day, class: file.class, file: file.id }
    }

    /// As the object store takes it.
    pub fn object(&self) -> object_store::path::Path {
        object_store::path::Path::from(self.to_string())
    }
}

impl fmt::Display for DataFilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workspace, table, day, class, file } = self;
        write!(f, "w/{workspace}/{table}/{day}/{class}/{file}.parquet")
    }
}

impl FromStr for DataFilePath {
    type Err = InvalidPath;
    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let parts: Vec<&str> = text.split('/').collect();
        let ["w", workspace, table, day, class, file] = parts[..] else { return Err(InvalidPath) };
        Ok(Self {
            workspace: workspace.parse().map_err(|_| InvalidPath)?,
            table: table.parse().map_err(|_| InvalidPath)?,
            day: day.parse().map_err(|_| InvalidPath)?,
            class: class.parse().map_err(|_| InvalidPath)?,
            file: file.strip_suffix(".parquet").ok_or(InvalidPath)?.parse().map_err(|_| InvalidPath)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn paths_round_trip(workspace: [u8; 16], file: [u8; 16], day in -700_000i32..2_900_000, class: u16, table in 0usize..3) {
            let path = DataFilePath {
                workspace: WorkspaceId(workspace),
                table: Table::ALL[table],
                day: PartitionDay(day),
                class: RetentionClass(class),
                file: DataFileId(file),
            };
            prop_assert_eq!(path.to_string().parse(), Ok(path));
            let object = path.object();
            prop_assert_eq!(object.as_ref(), path.to_string());
        }

        #[test]
        fn what_is_no_path_does_not_parse(text in "[a-z0-9/._-]{0,120}") {
            prop_assert_eq!(text.parse::<DataFilePath>().ok().map(|p| p.to_string()).unwrap_or(text.clone()), text);
        }
    }
}
