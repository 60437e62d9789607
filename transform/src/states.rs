//! Reading derived states, amendments and the events of some conversations.
use crate::{Shared, TransformError};
use arrow::{
    array::{Array, AsArray, BooleanArray},
    datatypes::Int64Type,
    record_batch::RecordBatch,
};
use futures::{StreamExt, TryStreamExt};
use schemas::{
    amendment::Amendments,
    columns::{ColumnError, EventRow, read_conversations, read_events},
    conversation::ConversationState,
    ids::{ConversationId, DataFileId, WorkspaceId},
    log::{Offset, Slot},
    partition::{Table, day_is_expired},
    time::Millis,
};
use std::collections::{HashMap, HashSet};
use warehouse::{
    catalog::{DataFile, Snapshot},
    file::ScanFilter,
};

/// Which of two rows of a conversation holds: the newer derivation; of the same one the later writing, as `expire`
/// writes states anew without what expired.
fn rank(version: i64, file: &DataFile) -> (i64, Millis, DataFileId) {
    (version, file.created_at, file.id)
}

/// The newest state of each of the wanted conversations.
pub(crate) async fn newest_states(
    shared: &Shared,
    files: &[DataFile],
    wanted: &HashSet<ConversationId>,
) -> Result<HashMap<ConversationId, ConversationState>, TransformError> {
    let mut newest: HashMap<ConversationId, (usize, ConversationState)> = HashMap::new();
    for (index, file) in files.iter().enumerate().filter(|(_, f)| f.table == Table::Conversations) {
        let mut stream = shared.files.stream(file, Some(&["conversation", "version", "state"])).await?;
        while let Some(batch) = stream.try_next().await? {
            let ids = batch.column_by_name("conversation").and_then(|c| c.as_fixed_size_binary_opt());
            let ids = ids.ok_or(ColumnError("conversation"))?;
            let keep: arrow::array::BooleanArray = (0..ids.len())
                .map(|row| Some(ConversationId::from_slice(ids.value(row)).is_some_and(|id| wanted.contains(&id))))
                .collect();
            for state in read_conversations(&arrow::compute::filter_record_batch(&batch, &keep)?)? {
                let held = newest.get(&state.conversation);
                let newer = held.is_none_or(|(at, held)| {
                    rank(held.version.as_i64(), &files[*at]) < rank(state.version.as_i64(), file)
                });
                if newer {
                    newest.insert(state.conversation, (index, state));
                }
            }
        }
    }
    Ok(newest.into_iter().map(|(id, (_, state))| (id, state)).collect())
}

/// The files of a workspace that a job may read: none of an expired day but those of states, while their key opens.
/// States in a file that is dark were moved to a younger day before its key went (`expire`), so a snapshot that is
/// taken after it was found dark names the file they were moved to.
pub(crate) async fn readable_files(
    shared: &Shared,
    workspace: WorkspaceId,
    slot: Slot,
) -> Result<(Snapshot, Vec<DataFile>), TransformError> {
    let mut dark: HashSet<DataFileId> = HashSet::new();
    loop {
        let snapshot = shared.catalog.snapshot(slot).await?;
        let (now, days) = (shared.clock.now(), shared.retention_days(workspace));
        let mut files = shared.catalog.files(workspace, snapshot).await?;
        let expired = |f: &DataFile| day_is_expired(f.day, now, f.class, days);
        files.retain(|f| !dark.contains(&f.id) && (f.table == Table::Conversations || !expired(f)));
        let mut found = false;
        for file in files.iter().filter(|f| expired(f)) {
            match shared.keyring.day_key(workspace, file.day, file.class).await {
                Ok(_) => {}
                Err(error) if error.class() == keys::KeyErrorClass::Destroyed => found |= dark.insert(file.id),
                Err(error) => return Err(error.into()),
            }
        }
        if !found {
            return Ok((snapshot, files));
        }
    }
}

/// For each conversation, the greatest version and the file that holds it, without reading the states.
pub(crate) async fn newest_versions(
    shared: &Shared,
    files: &[&DataFile],
) -> Result<HashMap<ConversationId, (i64, usize)>, TransformError> {
    let mut newest: HashMap<ConversationId, (i64, usize)> = HashMap::new();
    for (index, file) in files.iter().enumerate() {
        let mut stream = shared.files.stream(file, Some(&["conversation", "version"])).await?;
        while let Some(batch) = stream.try_next().await? {
            for (id, version) in versions(&batch)? {
                let held = newest.get(&id);
                if held.is_none_or(|(held, at)| rank(*held, files[*at]) < rank(version, file)) {
                    newest.insert(id, (version, index));
                }
            }
        }
    }
    Ok(newest)
}

/// The rows of a batch of the file at `index` that hold, by what [`newest_versions`] found.
pub(crate) fn holding(
    batch: &RecordBatch,
    index: usize,
    newest: &HashMap<ConversationId, (i64, usize)>,
) -> Result<BooleanArray, TransformError> {
    Ok(versions(batch)?.into_iter().map(|(id, version)| Some(newest.get(&id) == Some(&(version, index)))).collect())
}

fn versions(batch: &RecordBatch) -> Result<Vec<(ConversationId, i64)>, TransformError> {
    let ids = batch.column_by_name("conversation").and_then(|c| c.as_fixed_size_binary_opt());
    let ids = ids.ok_or(ColumnError("conversation"))?;
    let versions = batch.column_by_name("version").and_then(|c| c.as_primitive_opt::<Int64Type>());
    let versions = versions.ok_or(ColumnError("version"))?;
    (0..batch.num_rows())
        .map(|row| {
            let id = ConversationId::from_slice(ids.value(row)).ok_or(ColumnError("conversation"))?;
            Ok((id, versions.value(row)))
        })
        .collect()
}

/// The amendments of a workspace that are not folded yet.
pub(crate) async fn open_amendments(
    shared: &Shared,
    workspace: WorkspaceId,
    files: &[DataFile],
) -> Result<(Amendments, Vec<EventRow>), TransformError> {
    let files: Vec<DataFile> = files.iter().filter(|f| f.table == Table::Events && f.amendments > 0).cloned().collect();
    let filter = ScanFilter { amendments: true, ..ScanFilter::default() };
    let rows: Vec<EventRow> =
        scan_rows(shared, workspace, &files, &filter).await?.into_iter().filter(|r| !r.folded).collect();
    let mut amendments = Amendments::default();
    for row in &rows {
        amendments.add(&row.event);
    }
    Ok((amendments, rows))
}

/// The rows of some files of table `events` with offsets in `from..to`.
pub(crate) async fn rows_between(
    shared: &Shared,
    workspace: WorkspaceId,
    files: &[DataFile],
    from: Offset,
    to: Offset,
) -> Result<Vec<EventRow>, TransformError> {
    // Most files lie wholly within, and have no use for a filter.
    let within = |f: &&DataFile| from <= f.min_offset && f.max_offset < to;
    let (whole, parts): (Vec<&DataFile>, Vec<&DataFile>) = files.iter().partition(within);
    let parts: Vec<DataFile> = parts.into_iter().cloned().collect();
    let filter = ScanFilter { from: Some(from), before: Some(to), ..ScanFilter::default() };
    let mut rows = scan_rows(shared, workspace, &parts, &filter).await?;
    for file in whole {
        let mut stream = shared.files.stream(file, None).await?;
        while let Some(batch) = stream.try_next().await? {
            rows.extend(read_events(&batch)?);
        }
    }
    Ok(rows)
}

/// All rows of some files of table `events` that meet a filter.
pub(crate) async fn scan_rows(
    shared: &Shared,
    workspace: WorkspaceId,
    files: &[DataFile],
    filter: &ScanFilter,
) -> Result<Vec<EventRow>, TransformError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let mut stream = shared.files.scan(workspace, files, filter, None).await?.boxed();
    let mut rows = Vec::new();
    while let Some(batch) = stream.try_next().await? {
        rows.extend(read_events(&batch)?);
    }
    Ok(rows)
}
