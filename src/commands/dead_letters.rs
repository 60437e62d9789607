//! `chatmai dead-letters`.
use super::workspace;
use crate::{
    control::{CommandError, Letters, Outcome, Replies, Reply},
    node::Desk,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::TryStreamExt;
use schemas::{
    columns::{DeadLetterRow, read_dead_letters},
    ids::{EventId, WorkspaceId},
    log::Offset,
    partition::{RetentionClass, Table, cut},
};
use serde_json::{Value, json};
use std::collections::HashSet;
use warehouse::registry::RegistryError;

pub(super) async fn list(desk: &Desk, letters: &Letters, replies: &mut impl Replies) -> Result<Outcome, CommandError> {
    // The bytes are let go batch by batch: a list of many must not hold the content of all.
    let (_, items) = find(desk, letters, |row| item(&row)).await?;
    let count = items.len();
    for Found { value, .. } in items {
        replies.take(Reply::Item { value }).await?;
    }
    Ok(json!({ "count": count }).into())
}

/// With the bytes in base64: they need not be text.
pub(super) async fn show(desk: &Desk, letters: &Letters, replies: &mut impl Replies) -> Result<Outcome, CommandError> {
    let (_, rows) = find(desk, letters, |row| row).await?;
    for Found { value: row, .. } in &rows {
        let mut value = item(row);
        value["content"] = STANDARD.encode(&row.raw.bytes).into();
        replies.take(Reply::Item { value }).await?;
    }
    Ok(json!({ "count": rows.len() }).into())
}

pub(super) async fn replay(desk: &Desk, letters: &Letters) -> Result<Outcome, CommandError> {
    let (workspace, rows) = find(desk, letters, |row| row).await?;
    let intake = &desk.pipeline()?.intake;
    let (mut records, mut still, mut position) = (0, 0, None);
    for Found { value: row, .. } in &rows {
        let taken = intake.replay(row.raw.platform, row.raw.connection, &row.raw.bytes).await;
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

fn item(row: &DeadLetterRow) -> Value {
    json!({
        "id": row.raw.id,
        "connection": row.raw.connection,
        "platform": row.raw.platform,
        "received_at": row.raw.received_at,
        "reason": row.raw.reason,
        "bytes": row.raw.bytes.len(),
    })
}

/// A dead letter that is meant, and what is kept of it.
struct Found<T> {
    offset: Offset,
    id: EventId,
    value: T,
}

/// The dead letters that are meant, oldest first, as what `keep` makes of each. What waits in the log is landed before,
/// so that none is missing.
async fn find<T>(
    desk: &Desk,
    letters: &Letters,
    keep: impl Fn(DeadLetterRow) -> T,
) -> Result<(WorkspaceId, Vec<Found<T>>), CommandError> {
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
        let mut batches = pipeline.files.stream(file, None).await.map_err(CommandError::failed)?;
        while let Some(batch) = batches.try_next().await.map_err(CommandError::failed)? {
            let meant = read_dead_letters(&batch).map_err(CommandError::failed)?.into_iter().filter(|row| {
                row.raw.received_at > oldest
                    && (wanted.is_empty() || wanted.contains(&row.raw.id))
                    && letters.connection.is_none_or(|connection| row.raw.connection == Some(connection))
            });
            rows.extend(meant.map(|row| Found { offset: row.offset, id: row.raw.id, value: keep(row) }));
        }
    }
    if let Some(missing) = wanted.iter().find(|id| rows.iter().all(|row| row.id != **id)) {
        return Err(CommandError::failed(format!("no dead letter {missing} in this workspace")));
    }
    rows.sort_by_key(|row| row.offset);
    Ok((id, rows))
}
