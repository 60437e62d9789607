//! Rows of data files: added by commits, read by snapshots, forgotten when their objects are gone.
use super::{
    bulk::lists,
    database::{Database, Write, statement},
    rows::{INSERT_FILES, bind_file, bytes, data_file, file_columns, signed, small},
};
use crate::catalog::{CatalogError, DataFile, Snapshot, SnapshotNumber};
use schemas::{
    ids::{DataFileId, WorkspaceId},
    log::Slot,
    time::Millis,
};

/// A commit moves one slot; files of another would appear in a snapshot that nobody took.
pub(super) fn check_slot(files: &[DataFile], slot: Slot) -> Result<(), CatalogError> {
    match files.iter().find(|file| file.slot != slot) {
        None => Ok(()),
        Some(file) => {
            Err(CatalogError::Damaged(format!("a commit of slot {slot} brings {} of {}", file.id, file.slot)))
        }
    }
}

pub(super) async fn insert(
    write: &mut Write,
    parameters: usize,
    files: &[DataFile],
    snapshot: SnapshotNumber,
) -> Result<(), CatalogError> {
    // Neighbours in the index are written one after the other.
    let mut files: Vec<&DataFile> = files.iter().collect();
    files.sort_unstable_by_key(|file| (file.workspace, file.id));
    INSERT_FILES.run(write, parameters, &files, |query, file| bind_file(query, file, snapshot)).await
}

const VISIBLE: &str = concat!(
    "SELECT ",
    file_columns!(),
    " FROM files WHERE workspace = $1 AND slot = $2 AND created_snapshot <= $3
      AND (removed_snapshot IS NULL OR removed_snapshot > $3)"
);

pub(super) async fn visible(
    database: &Database,
    workspace: WorkspaceId,
    snapshot: Snapshot,
) -> Result<Vec<DataFile>, CatalogError> {
    let rows = sqlx::query(VISIBLE)
        .bind(workspace.0.to_vec())
        .bind(i64::from(snapshot.slot.0))
        .bind(signed(snapshot.number.0))
        .fetch_all(database.read())
        .await?;
    let mut files: Vec<DataFile> = rows.iter().map(data_file).collect::<Result<_, _>>()?;
    files.sort_unstable_by_key(|file| (file.table, file.day, file.min_offset, file.id));
    Ok(files)
}

pub(super) async fn live(database: &Database, slot: Slot) -> Result<Vec<DataFile>, CatalogError> {
    let rows = sqlx::query(concat!("SELECT ", file_columns!(), " FROM files WHERE slot = $1 AND removed_at IS NULL"))
        .bind(i64::from(slot.0))
        .fetch_all(database.read())
        .await?;
    let mut files: Vec<DataFile> = rows.iter().map(data_file).collect::<Result<_, _>>()?;
    files.sort_unstable_by_key(|file| (file.workspace, file.table, file.day, file.min_offset, file.id));
    Ok(files)
}

pub(super) async fn removed_before(
    database: &Database,
    before: Millis,
    limit: usize,
) -> Result<Vec<DataFile>, CatalogError> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        file_columns!(),
        " FROM files WHERE removed_at < $1 ORDER BY removed_at, id LIMIT $2"
    ))
    .bind(before.0)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(database.read())
    .await?;
    rows.iter().map(data_file).collect()
}

/// Live files stay: only what a replacement has removed can be forgotten.
pub(super) async fn forget(database: &Database, ids: &[DataFileId]) -> Result<(), CatalogError> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut write = database.begin().await?;
    for (list, ids) in lists(ids, 1) {
        let text = format!("DELETE FROM files WHERE removed_at IS NOT NULL AND id IN {list}");
        let query = ids.iter().fold(sqlx::query(statement(text)), |query, id| query.bind(id.0.to_vec()));
        query.execute(&mut *write).await?;
    }
    Ok(write.commit().await?)
}

pub(super) async fn known(database: &Database) -> Result<Vec<(WorkspaceId, DataFileId, bool)>, CatalogError> {
    let rows = sqlx::query("SELECT workspace, id, CASE WHEN removed_at IS NULL THEN 1 ELSE 0 END FROM files")
        .fetch_all(database.read())
        .await?;
    rows.iter()
        .map(|row| Ok((WorkspaceId(bytes(row, 0)?), DataFileId(bytes(row, 1)?), small::<i64>(row, 2)? == 1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{SqlCatalog, SqlCatalogOptions};
    use schemas::clock::ManualClock;
    use sqlx::Row;

    #[tokio::test]
    async fn sqlite_looks_a_workspaces_files_up_by_the_workspace() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, clock) = (directory.path().join("catalog.db"), ManualClock::at(Millis(0)));
        let catalog = SqlCatalog::open(SqlCatalogOptions { database: path.into(), clock }).await.expect("opened");
        let plan = sqlx::query(statement(format!("EXPLAIN QUERY PLAN {VISIBLE}")))
            .bind(vec![0u8; 16])
            .bind(0i64)
            .bind(0i64)
            .fetch_all(catalog.database.read())
            .await
            .expect("a plan");
        let plan: Vec<String> = plan.iter().map(|row| row.get(3)).collect();
        let wanted = "SEARCH files USING INDEX files_by_workspace (workspace=? AND slot=? AND created_snapshot<?)";
        assert_eq!(plan, [wanted]);
    }
}
