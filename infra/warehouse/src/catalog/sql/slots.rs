//! Slots: where each continues, who may move it.
use super::{
    bulk::Insert,
    database::{Database, Write},
    rows::{self, small},
};
use crate::catalog::{CatalogError, Generation, Snapshot};
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
};
use sqlx::Row;

const BIND: Insert = Insert {
    head: "INSERT INTO slots (slot, epoch, next_offset, snapshot, generation, owner)",
    columns: 6,
    // Another process may be binding the same log.
    tail: "ON CONFLICT (slot) DO NOTHING",
};

pub(super) async fn bind_log(database: &Database, epoch: LogEpoch, slots: u32) -> Result<(), CatalogError> {
    let mut write = database.begin().await?;
    let bound: i64 = sqlx::query_scalar("SELECT count(*) FROM slots").fetch_one(&mut *write).await?;
    if bound == 0 {
        let numbers: Vec<u32> = (0..slots).collect();
        let parameters = database.dialect().bulk_parameters();
        BIND.run(&mut write, parameters, &numbers, |query, slot| {
            query.bind(i64::from(*slot)).bind(epoch.0.to_vec()).bind(0i64).bind(0i64).bind(0i64).bind("")
        })
        .await?;
    }
    let row = sqlx::query("SELECT count(*), count(CASE WHEN epoch = $1 THEN 1 END) FROM slots")
        .bind(epoch.0.to_vec())
        .fetch_one(&mut *write)
        .await?;
    let (all, ours): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if all != i64::from(slots) {
        return Err(CatalogError::Damaged(format!("it is bound to a log of {all} slots, this one has {slots}")));
    }
    if ours != all {
        return Err(CatalogError::Damaged(format!("it is bound to another event log than {epoch}")));
    }
    Ok(write.commit().await?)
}

pub(super) async fn take(database: &Database, slot: Slot, owner: &str) -> Result<Generation, CatalogError> {
    let mut write = database.begin().await?;
    let taken = sqlx::query("UPDATE slots SET generation = generation + 1, owner = $2 WHERE slot = $1")
        .bind(i64::from(slot.0))
        .bind(owner)
        .execute(&mut *write)
        .await?;
    if taken.rows_affected() != 1 {
        return Err(unknown(slot));
    }
    let row = sqlx::query("SELECT generation FROM slots WHERE slot = $1")
        .bind(i64::from(slot.0))
        .fetch_one(&mut *write)
        .await?;
    let number = small(&row, 0)?;
    write.commit().await?;
    Ok(Generation { slot, number })
}

pub(super) async fn snapshot(database: &Database, slot: Slot) -> Result<Snapshot, CatalogError> {
    let row = sqlx::query("SELECT slot, epoch, snapshot, next_offset FROM slots WHERE slot = $1")
        .bind(i64::from(slot.0))
        .fetch_optional(database.read())
        .await?;
    rows::snapshot(&row.ok_or_else(|| unknown(slot))?)
}

pub(super) async fn snapshots(database: &Database) -> Result<Vec<Snapshot>, CatalogError> {
    let rows = sqlx::query("SELECT slot, epoch, snapshot, next_offset FROM slots ORDER BY slot")
        .fetch_all(database.read())
        .await?;
    rows.iter().map(rows::snapshot).collect()
}

/// A slot as a transaction sees it.
pub(super) struct SlotState {
    pub(super) snapshot: Snapshot,
    pub(super) generation: u64,
}

/// Reads a slot inside a transaction.
pub(super) async fn state(write: &mut Write, slot: Slot) -> Result<SlotState, CatalogError> {
    let row = sqlx::query("SELECT slot, epoch, snapshot, next_offset, generation FROM slots WHERE slot = $1")
        .bind(i64::from(slot.0))
        .fetch_optional(&mut **write)
        .await?
        .ok_or_else(|| unknown(slot))?;
    Ok(SlotState { snapshot: rows::snapshot(&row)?, generation: small(&row, 4)? })
}

/// Up to where each workspace of a slot is derived.
pub(super) async fn derived(
    database: &Database,
    slot: Slot,
) -> Result<Vec<(schemas::ids::WorkspaceId, Offset)>, CatalogError> {
    let rows = sqlx::query("SELECT workspace, next_offset FROM derived WHERE slot = $1 ORDER BY workspace")
        .bind(i64::from(slot.0))
        .fetch_all(database.read())
        .await?;
    rows.iter().map(|row| Ok((schemas::ids::WorkspaceId(rows::bytes(row, 0)?), Offset(small(row, 1)?)))).collect()
}

fn unknown(slot: Slot) -> CatalogError {
    CatalogError::Damaged(format!("it has no slot {slot}"))
}
