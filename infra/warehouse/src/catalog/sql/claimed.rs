//! Ids of events whose claimed time was not believed.
use super::{
    bulk::lists,
    database::{Database, statement},
    rows::bytes,
};
use crate::catalog::CatalogError;
use schemas::{
    ids::{EventId, WorkspaceId},
    log::Offset,
    time::Millis,
};
use std::collections::BTreeSet;

pub(super) async fn known(
    database: &Database,
    workspace: WorkspaceId,
    ids: &[EventId],
    next: Offset,
) -> Result<Vec<EventId>, CatalogError> {
    let mut known = BTreeSet::new();
    for (list, ids) in lists(ids, 3) {
        let text = format!("SELECT id FROM claimed_ids WHERE workspace = $1 AND log_offset < $2 AND id IN {list}");
        let query = sqlx::query(statement(text)).bind(workspace.0.to_vec()).bind(next.as_i64());
        let query = ids.iter().fold(query, |query, id| query.bind(id.0.to_vec()));
        for row in query.fetch_all(database.read()).await? {
            known.insert(EventId(bytes(&row, 0)?));
        }
    }
    Ok(known.into_iter().collect())
}

pub(super) async fn workspaces(database: &Database) -> Result<Vec<WorkspaceId>, CatalogError> {
    let rows = sqlx::query("SELECT DISTINCT workspace FROM claimed_ids").fetch_all(database.read()).await?;
    rows.iter().map(|row| Ok(WorkspaceId(bytes(row, 0)?))).collect()
}

pub(super) async fn forget(database: &Database, workspace: WorkspaceId, before: Millis) -> Result<(), CatalogError> {
    let mut write = database.begin().await?;
    sqlx::query("DELETE FROM claimed_ids WHERE workspace = $1 AND event_at < $2")
        .bind(workspace.0.to_vec())
        .bind(before.0)
        .execute(&mut *write)
        .await?;
    Ok(write.commit().await?)
}
