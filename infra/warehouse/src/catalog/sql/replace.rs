//! A job's commit: files of one slot replaced by others, in one transaction.
use super::{
    bulk::Insert,
    database::{Database, Write},
    files, leases,
    rows::signed,
    slots,
};
use crate::catalog::{CatalogError, Replacement, Snapshot};
use schemas::{
    ids::{DataFileId, WorkspaceId},
    log::Offset,
};
use std::collections::{BTreeMap, BTreeSet};

const DERIVED: Insert = Insert {
    head: "INSERT INTO derived (workspace, slot, next_offset)",
    columns: 3,
    // Never back: what is folded once must not be folded again.
    tail: "ON CONFLICT (slot, workspace) DO UPDATE SET next_offset = excluded.next_offset \
           WHERE excluded.next_offset > derived.next_offset",
};

pub(super) async fn commit(database: &Database, replacement: Replacement) -> Result<Snapshot, CatalogError> {
    let parameters = database.dialect().bulk_parameters();
    let slot = replacement.slot;
    files::check_slot(&replacement.add, slot)?;
    let mut write = database.begin().await?;
    leases::hold(&mut write, &replacement.lease).await?;
    sqlx::query("UPDATE slots SET snapshot = snapshot + 1 WHERE slot = $1")
        .bind(i64::from(slot.0))
        .execute(&mut *write)
        .await?;
    let snapshot = slots::state(&mut write, slot).await?.snapshot;
    remove(&mut write, &replacement, snapshot).await?;
    files::insert(&mut write, parameters, &replacement.add, snapshot.number).await?;
    let derived: BTreeMap<WorkspaceId, Offset> = replacement.derived.into_iter().collect();
    let derived: Vec<_> = derived.into_iter().collect();
    DERIVED
        .run(&mut write, parameters, &derived, |query, (workspace, next)| {
            query.bind(workspace.0.to_vec()).bind(i64::from(slot.0)).bind(next.as_i64())
        })
        .await?;
    write.commit().await?;
    Ok(snapshot)
}

/// Marks the files as removed; each must be live in this slot, which the statement itself checks.
async fn remove(write: &mut Write, replacement: &Replacement, snapshot: Snapshot) -> Result<(), CatalogError> {
    let ids: BTreeSet<DataFileId> = replacement.remove.iter().copied().collect();
    for id in ids {
        let removed = sqlx::query(
            "UPDATE files SET removed_snapshot = $3, removed_at = $4
             WHERE id = $1 AND slot = $2 AND removed_at IS NULL",
        )
        .bind(id.0.to_vec())
        .bind(i64::from(replacement.slot.0))
        .bind(signed(snapshot.number.0))
        .bind(replacement.at.0)
        .execute(&mut **write)
        .await?;
        if removed.rows_affected() != 1 {
            return Err(CatalogError::NotLive(id));
        }
    }
    Ok(())
}
