//! `chatmai dead-letters`.
use super::workspace;
use crate::{
    control::{CommandError, Letters, Outcome, Replies, Reply},
    node::Desk,
};
use arrow::record_batch::RecordBatch;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::TryStreamExt;
use schemas::{
    columns::{ColumnError, DeadLetterHead, read_dead_letter_heads, read_dead_letters},
    ids::{EventId, WorkspaceId},
    partition::{RetentionClass, Table, cut},
};
use serde_json::{Value, json};
use std::collections::HashSet;
use warehouse::registry::RegistryError;

pub(super) async fn list(desk: &Desk, letters: &Letters, replies: &mut impl Replies) -> Result<Outcome, CommandError> {
    // What nobody asked to see is not opened.
    let read = |batch: &RecordBatch| Ok(read_dead_letter_heads(batch)?.into_iter().map(|head| (head, ())).collect());
    let (_, items) = find(desk, letters, Some(&DeadLetterHead::COLUMNS), read).await?;
    for (head, ()) in &items {
        replies.take(Reply::Item { value: item(head) }).await?;
    }
    Ok(json!({ "count": items.len() }).into())
}

/// With the bytes in base64: they need not be text.
pub(super) async fn show(desk: &Desk, letters: &Letters, replies: &mut impl Replies) -> Result<Outcome, CommandError> {
    let (_, rows) = find(desk, letters, None, read_dead_letters).await?;
    for (head, content) in &rows {
        let mut value = item(head);
        value["content"] = STANDARD.encode(content).into();
        replies.take(Reply::Item { value }).await?;
    }
    Ok(json!({ "count": rows.len() }).into())
}

pub(super) async fn replay(desk: &Desk, letters: &Letters) -> Result<Outcome, CommandError> {
    let (workspace, rows) = find(desk, letters, None, read_dead_letters).await?;
    let intake = &desk.pipeline()?.intake;
    let (mut records, mut still, mut position) = (0, 0, None);
    for (head, content) in &rows {
        let taken = intake.replay(head.platform, head.connection, content).await;
        let accepted = taken.map_err(CommandError::failed)?;
        records += accepted.records;
        still += accepted.dead_letters.len();
        position =
            accepted.positions.into_iter().find(|(of, _)| *of == workspace).map(|(_, p)| p.to_string()).or(position);
    }
    // Visible when the answer comes, as a write that is read back.
    desk.flush().await?;
    Ok(json!({ "replayed": rows.len(), "accepted": records, "still_dead": still, "position": position }).into())
}

fn item(head: &DeadLetterHead) -> Value {
    json!({
        "id": head.id,
        "connection": head.connection,
        "platform": head.platform,
        "received_at": head.received_at,
        "reason": head.reason,
        "bytes": head.bytes,
    })
}

/// The dead letters that are meant, oldest first, with what `read` takes from `columns` (`None`: all) of each. What
/// waits in the log is landed before, so that none is missing.
async fn find<T>(
    desk: &Desk,
    letters: &Letters,
    columns: Option<&[&str]>,
    read: impl Fn(&RecordBatch) -> Result<Vec<(DeadLetterHead, T)>, ColumnError>,
) -> Result<(WorkspaceId, Vec<(DeadLetterHead, T)>), CommandError> {
    let id = workspace(desk, &letters.workspace).await?;
    let pipeline = desk.pipeline()?;
    desk.flush().await?;
    let view = desk.registry.view();
    let workspace = view.workspaces.get(&id).ok_or(RegistryError::NotFound("workspace"))?;
    let snapshot = pipeline.catalog.snapshot(workspace.slot).await.map_err(CommandError::failed)?;
    let files = pipeline.catalog.files(id, snapshot).await.map_err(CommandError::failed)?;
    let oldest = cut(desk.clock.now(), RetentionClass::DEAD_LETTERS, workspace.retention_days);
    let wanted: HashSet<EventId> = letters.ids.iter().copied().collect();
    let mut rows = Vec::new();
    for file in files.iter().filter(|file| file.table == Table::DeadLetters) {
        let mut batches = pipeline.files.stream(file, columns).await.map_err(CommandError::failed)?;
        while let Some(batch) = batches.try_next().await.map_err(CommandError::failed)? {
            let meant = read(&batch).map_err(CommandError::failed)?.into_iter().filter(|(head, _)| {
                head.received_at > oldest
                    && (wanted.is_empty() || wanted.contains(&head.id))
                    && letters.connection.is_none_or(|connection| head.connection == Some(connection))
            });
            rows.extend(meant);
        }
    }
    if let Some(missing) = wanted.iter().find(|id| rows.iter().all(|(head, _)| head.id != **id)) {
        return Err(CommandError::failed(format!("no dead letter {missing} in this workspace")));
    }
    rows.sort_by_key(|(head, _)| head.offset);
    Ok((id, rows))
}
