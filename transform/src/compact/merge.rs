//! Merges files of one workspace, table, day and class.
use super::{Compacted, replace};
use crate::{Shared, TransformError};
use arrow::{
    compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch},
    record_batch::RecordBatch,
};
use schemas::{columns::schema_of, partition::Table};
use warehouse::{
    catalog::{DataFile, Lease},
    duplicates::Fronts,
    file::NewFile,
};

pub(super) async fn merge(
    shared: &Shared,
    lease: &Lease,
    group: &[DataFile],
    done: &mut Compacted,
) -> Result<(), TransformError> {
    let Some(first) = group.first() else { return Ok(()) };
    let target = target_of(first);
    let mut batches = Vec::new();
    for file in group {
        batches.extend(shared.files.read(file, None).await?);
    }
    let merged = tokio::task::spawn_blocking(move || sorted(target.table, &batches))
        .await
        .map_err(|_| TransformError::Unavailable("the merge was stopped".into()))??;
    let file = write(shared, target, merged).await?;
    if file.rows != group.iter().map(|f| f.rows).sum::<u64>() {
        return Err(TransformError::Integrity("a merge changed the number of rows".into()));
    }
    let points = ("compact/after-write", "compact/after-commit");
    replace(shared, lease, first.slot, group.iter().collect(), vec![file], points, done).await
}

/// Writes a file's rows and tells the duplicate check of them: it is asked for the newest rows of a day at once.
pub(super) async fn write(shared: &Shared, target: NewFile, rows: RecordBatch) -> Result<DataFile, TransformError> {
    let fronts = if target.table == Table::Conversations { None } else { Fronts::of_rows(&rows) };
    let file = shared.files.write(target, vec![rows]).await?;
    if let Some(fronts) = fronts {
        shared.duplicates.remember(file.id, fronts).await;
    }
    Ok(file)
}

/// Where a file that replaces this one belongs.
pub(super) fn target_of(file: &DataFile) -> NewFile {
    NewFile { workspace: file.workspace, slot: file.slot, table: file.table, day: file.day, class: file.class }
}

/// One batch of all rows, in the order of its table.
pub(super) fn sorted(table: Table, batches: &[RecordBatch]) -> Result<RecordBatch, TransformError> {
    let all = concat_batches(&schema_of(table), batches)?;
    let keys: &[&str] = match table {
        Table::Events => &["conversation", "event_at", "seq", "event_id"],
        Table::DeadLetters => &["log_offset"],
        Table::Conversations => &["conversation"],
    };
    let columns: Vec<SortColumn> = keys
        .iter()
        .filter_map(|name| all.column_by_name(name))
        .map(|values| SortColumn { values: values.clone(), options: None })
        .collect();
    let order = lexsort_to_indices(&columns, None)?;
    Ok(take_record_batch(&all, &order)?)
}
