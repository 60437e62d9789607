//! What jobs look for, answered by the database: with years of files, most of them concern no job.
use super::{
    database::Database,
    rows::{bytes, signed, small},
};
use crate::catalog::{CatalogError, Crowd, SnapshotNumber};
use schemas::{
    ids::WorkspaceId,
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table},
};
use sqlx::Row;

pub(super) async fn underived(
    database: &Database,
    slot: Slot,
    since: SnapshotNumber,
) -> Result<Vec<(WorkspaceId, Offset)>, CatalogError> {
    let rows = sqlx::query(
        "SELECT files.workspace, coalesce(max(derived.next_offset), 0)
         FROM files LEFT JOIN derived ON derived.slot = files.slot AND derived.workspace = files.workspace
         WHERE files.slot = $1 AND files.created_snapshot > $2 AND files.removed_at IS NULL
           AND files.table_name = $3 AND files.max_offset >= coalesce(derived.next_offset, 0)
         GROUP BY files.workspace ORDER BY files.workspace",
    )
    .bind(i64::from(slot.0))
    .bind(signed(since.0))
    .bind(Table::Events.name())
    .fetch_all(database.read())
    .await?;
    rows.iter().map(|row| Ok((WorkspaceId(bytes(row, 0)?), Offset(small(row, 1)?)))).collect()
}

pub(super) async fn crowded(database: &Database, slot: Slot) -> Result<Vec<Crowd>, CatalogError> {
    let rows = sqlx::query(
        "SELECT workspace, table_name, day, class, count(*), count(CASE WHEN amendments > 0 THEN 1 END)
         FROM files WHERE slot = $1 AND removed_at IS NULL
         GROUP BY workspace, table_name, day, class
         HAVING count(*) > 1 OR max(amendments) > 0
         ORDER BY workspace, table_name, day, class",
    )
    .bind(i64::from(slot.0))
    .fetch_all(database.read())
    .await?;
    rows.iter()
        .map(|row| {
            let table: &str = row.try_get(1)?;
            Ok(Crowd {
                workspace: WorkspaceId(bytes(row, 0)?),
                table: table.parse().map_err(|_| CatalogError::Damaged("files of an unknown table".into()))?,
                day: PartitionDay(small(row, 2)?),
                class: RetentionClass(small(row, 3)?),
                files: small(row, 4)?,
                amending: small(row, 5)?,
            })
        })
        .collect()
}

pub(super) async fn oldest(
    database: &Database,
    slot: Slot,
) -> Result<Vec<(WorkspaceId, RetentionClass, PartitionDay)>, CatalogError> {
    let rows = sqlx::query(
        "SELECT workspace, class, min(day) FROM files WHERE slot = $1 AND removed_at IS NULL
         GROUP BY workspace, class ORDER BY workspace, class",
    )
    .bind(i64::from(slot.0))
    .fetch_all(database.read())
    .await?;
    rows.iter()
        .map(|row| Ok((WorkspaceId(bytes(row, 0)?), RetentionClass(small(row, 1)?), PartitionDay(small(row, 2)?))))
        .collect()
}
