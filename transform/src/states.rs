//! Reading derived states, amendments and the events of some conversations.
use crate::{Shared, TransformError};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use futures::{StreamExt, TryStreamExt};
use schemas::{
    amendment::Amendments,
    columns::{EventRow, read_conversations, read_events},
    conversation::ConversationState,
    ids::{ConversationId, WorkspaceId},
    partition::Table,
};
use std::collections::{HashMap, HashSet};
use warehouse::{catalog::DataFile, file::ScanFilter};

/// The newest state of each conversation, or only of those in `wanted`, with the file that holds it.
pub(crate) async fn newest_states(
    shared: &Shared,
    files: &[DataFile],
    wanted: Option<&HashSet<ConversationId>>,
) -> Result<HashMap<ConversationId, (ConversationState, usize)>, TransformError> {
    let mut newest: HashMap<ConversationId, (ConversationState, usize)> = HashMap::new();
    for (index, file) in files.iter().enumerate().filter(|(_, f)| f.table == Table::Conversations) {
        let mut stream = shared.files.stream(file, Some(&["conversation", "version", "state"])).await?;
        while let Some(batch) = stream.try_next().await? {
            let batch = match wanted {
                Some(wanted) => {
                    let ids = batch.column_by_name("conversation").and_then(|c| c.as_fixed_size_binary_opt());
                    let ids = ids.ok_or(schemas::columns::ColumnError("conversation"))?;
                    let keep: arrow::array::BooleanArray = (0..ids.len())
                        .map(|row| {
                            Some(ConversationId::from_slice(ids.value(row)).is_some_and(|id| wanted.contains(&id)))
                        })
                        .collect();
                    arrow::compute::filter_record_batch(&batch, &keep)?
                }
                None => batch,
            };
            for state in read_conversations(&batch)? {
                match newest.get(&state.conversation) {
                    Some((held, _)) if held.version >= state.version => {}
                    _ => {
                        newest.insert(state.conversation, (state, index));
                    }
                }
            }
        }
    }
    Ok(newest)
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
            let missing = schemas::columns::ColumnError("conversation");
            let ids = batch.column_by_name("conversation").and_then(|c| c.as_fixed_size_binary_opt());
            let ids = ids.ok_or_else(|| missing.clone())?;
            let versions = batch.column_by_name("version").and_then(|c| c.as_primitive_opt::<Int64Type>());
            let versions = versions.ok_or_else(|| missing.clone())?;
            for row in 0..batch.num_rows() {
                let id = ConversationId::from_slice(ids.value(row)).ok_or_else(|| missing.clone())?;
                let version = versions.value(row);
                match newest.get(&id) {
                    Some((held, _)) if *held >= version => {}
                    _ => {
                        newest.insert(id, (version, index));
                    }
                }
            }
        }
    }
    Ok(newest)
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
