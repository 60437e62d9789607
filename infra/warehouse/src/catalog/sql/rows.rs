//! Values and rows, to SQL and back. SQL numbers are signed: what is unsigned here never comes near 2^63.
use super::bulk::{Bound, Insert};
use crate::catalog::{CatalogError, DataFile, Snapshot, SnapshotNumber};
use schemas::{
    ids::{DataFileId, LogEpoch, WorkspaceId},
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass},
    time::Millis,
};
use sqlx::{Row, any::AnyRow};

/// The columns of [`data_file`], in its order.
macro_rules! file_columns {
    () => {
        "id, workspace, slot, table_name, day, class, row_count, byte_count, sha256, min_at, max_at, min_offset, \
         max_offset, amendments, created_at"
    };
}
pub(super) use file_columns;

/// A new file, with the snapshot that brings it.
pub(super) const INSERT_FILES: Insert =
    Insert { head: concat!("INSERT INTO files (", file_columns!(), ", created_snapshot)"), columns: 16, tail: "" };

/// Gives [`INSERT_FILES`] a row.
pub(super) fn bind_file<'q>(query: Bound<'q>, file: &DataFile, snapshot: SnapshotNumber) -> Bound<'q> {
    query
        .bind(file.id.0.to_vec())
        .bind(file.workspace.0.to_vec())
        .bind(i64::from(file.slot.0))
        .bind(file.table.name())
        .bind(i64::from(file.day.0))
        .bind(i64::from(file.class.0))
        .bind(signed(file.rows))
        .bind(signed(file.bytes))
        .bind(file.sha256.to_vec())
        .bind(file.min_at.0)
        .bind(file.max_at.0)
        .bind(file.min_offset.as_i64())
        .bind(file.max_offset.as_i64())
        .bind(signed(file.amendments))
        .bind(file.created_at.0)
        .bind(signed(snapshot.0))
}

/// A file from columns in the order of [`file_columns`].
pub(super) fn data_file(row: &AnyRow) -> Result<DataFile, CatalogError> {
    let id = DataFileId(bytes(row, 0)?);
    let table: &str = row.try_get(3)?;
    Ok(DataFile {
        id,
        workspace: WorkspaceId(bytes(row, 1)?),
        slot: slot(row, 2)?,
        table: table.parse().map_err(|_| CatalogError::Damaged(format!("data file {id} is of an unknown table")))?,
        day: PartitionDay(small(row, 4)?),
        class: RetentionClass(small(row, 5)?),
        rows: small(row, 6)?,
        bytes: small(row, 7)?,
        sha256: bytes(row, 8)?,
        min_at: Millis(row.try_get(9)?),
        max_at: Millis(row.try_get(10)?),
        min_offset: Offset(small(row, 11)?),
        max_offset: Offset(small(row, 12)?),
        amendments: small(row, 13)?,
        created_at: Millis(row.try_get(14)?),
    })
}

/// A snapshot from columns `slot, epoch, snapshot, next_offset`.
pub(super) fn snapshot(row: &AnyRow) -> Result<Snapshot, CatalogError> {
    Ok(Snapshot {
        slot: slot(row, 0)?,
        epoch: LogEpoch(bytes(row, 1)?),
        number: SnapshotNumber(small(row, 2)?),
        next: Offset(small(row, 3)?),
    })
}

/// A slot's number.
pub(crate) fn slot(row: &AnyRow, column: usize) -> Result<Slot, CatalogError> {
    small(row, column).map(Slot)
}

/// A byte string of fixed length.
pub(crate) fn bytes<const N: usize>(row: &AnyRow, column: usize) -> Result<[u8; N], CatalogError> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|_| CatalogError::Damaged(format!("column {column} has {} bytes, not {N}", bytes.len())))
}

/// A number that fits a narrower type.
pub(crate) fn small<T: TryFrom<i64>>(row: &AnyRow, column: usize) -> Result<T, CatalogError> {
    let number: i64 = row.try_get(column)?;
    T::try_from(number).map_err(|_| CatalogError::Damaged(format!("column {column} holds {number}, out of its range")))
}

/// As SQL keeps it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
