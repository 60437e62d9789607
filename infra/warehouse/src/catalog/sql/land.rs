//! The land commit: files, offsets, claimed ids and totals, in one transaction.
use super::{
    bulk::Insert,
    database::{Database, Write},
    files,
    rows::signed,
    slots, totals,
};
use crate::catalog::{CatalogError, ClaimedId, LandCommit, Snapshot, progress::place};
use schemas::{
    ids::{EventId, WorkspaceId},
    log::Offset,
    time::Millis,
};
use std::collections::BTreeMap;

const CLAIMED: Insert = Insert {
    head: "INSERT INTO claimed_ids (workspace, id, event_at, log_offset)",
    columns: 4,
    // The later of two times, so that the id is not forgotten while one of them is in the window. The offset is the
    // first one's: commits come in order.
    tail: "ON CONFLICT (workspace, id) DO UPDATE SET event_at = \
           CASE WHEN excluded.event_at > claimed_ids.event_at THEN excluded.event_at ELSE claimed_ids.event_at END",
};

pub(super) async fn commit(database: &Database, commit: LandCommit) -> Result<Snapshot, CatalogError> {
    let parameters = database.dialect().bulk_parameters();
    files::check_slot(&commit.add, commit.generation.slot)?;
    let mut write = database.begin().await?;
    let snapshot = advance(&mut write, &commit).await?;
    files::insert(&mut write, parameters, &commit.add, snapshot.number).await?;
    // In order and each id once: a statement may not touch a row twice, and two transactions that lock rows in the
    // same order do not wait for each other in a circle.
    let mut claimed: BTreeMap<(WorkspaceId, EventId), (Millis, Offset)> = BTreeMap::new();
    for ClaimedId { workspace, event, at, offset } in commit.claimed.iter().copied() {
        let known = claimed.entry((workspace, event)).or_insert((at, offset));
        *known = (known.0.max(at), known.1.min(offset));
    }
    let claimed: Vec<_> = claimed.into_iter().collect();
    CLAIMED
        .run(&mut write, parameters, &claimed, |query, ((workspace, id), (at, offset))| {
            query.bind(workspace.0.to_vec()).bind(id.0.to_vec()).bind(at.0).bind(offset.as_i64())
        })
        .await?;
    totals::add(&mut write, parameters, &commit.totals).await?;
    write.commit().await?;
    Ok(snapshot)
}

/// Moves the slot, if the generation is the newest and the batch begins where the slot ends.
async fn advance(write: &mut Write, commit: &LandCommit) -> Result<Snapshot, CatalogError> {
    let generation = commit.generation;
    let misplaced = |next| CatalogError::Misplaced { slot: generation.slot, next, from: commit.from };
    if commit.to < commit.from {
        let state = slots::state(write, generation.slot).await?;
        return Err(misplaced(state.snapshot.next));
    }
    let moved = sqlx::query(
        "UPDATE slots SET next_offset = $4, snapshot = snapshot + 1
         WHERE slot = $1 AND generation = $2 AND next_offset = $3",
    )
    .bind(i64::from(generation.slot.0))
    .bind(signed(generation.number))
    .bind(commit.from.as_i64())
    .bind(commit.to.as_i64())
    .execute(&mut **write)
    .await?;
    let state = slots::state(write, generation.slot).await?;
    if moved.rows_affected() == 1 {
        return Ok(state.snapshot);
    }
    if state.generation != generation.number {
        return Err(CatalogError::Fenced(format!("slot {}", generation.slot)));
    }
    match place(state.snapshot.next, commit.from, commit.to) {
        placement if !placement.is_accepted() => Err(misplaced(state.snapshot.next)),
        _ => Err(CatalogError::Unavailable(format!("slot {} moved during the commit", generation.slot))),
    }
}
