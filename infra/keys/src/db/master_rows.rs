//! Rows of workspaces and of the keys that a root key wraps. The key store and the vault have the same tables.
use super::{Store, Tx, bodies, dialect::Dialect, store};
use crate::{error::KeyError, key_id::MasterKind, kms::Wrapped};
use schemas::{ids::WorkspaceId, time::Millis};
use sqlx::Row;

/// One master key, wrapped.
pub(crate) struct MasterRow {
    pub(crate) version: u32,
    pub(crate) wrapped: Wrapped,
}

/// One row to wrap anew.
pub(crate) struct RewrapRow {
    pub(crate) workspace: WorkspaceId,
    pub(crate) letter: String,
    pub(crate) row: MasterRow,
}

/// The tables.
pub(crate) fn tables(dialect: Dialect) -> Vec<String> {
    let bytes = dialect.bytes();
    let mut tables = bodies::tables(dialect);
    tables.extend([
        format!("CREATE TABLE IF NOT EXISTS workspaces (workspace {bytes} PRIMARY KEY, created_at BIGINT NOT NULL, destroyed_generation BIGINT)"),
        "CREATE INDEX IF NOT EXISTS workspaces_destroyed ON workspaces (destroyed_generation) WHERE destroyed_generation IS NOT NULL".into(),
        format!("CREATE TABLE IF NOT EXISTS master_keys (workspace {bytes} NOT NULL, kind TEXT NOT NULL, version BIGINT NOT NULL, root_key TEXT NOT NULL, body BIGINT NOT NULL, created_at BIGINT NOT NULL, changed_generation BIGINT NOT NULL, PRIMARY KEY (workspace, kind, version))"),
        "CREATE INDEX IF NOT EXISTS master_keys_changed ON master_keys (changed_generation)".into(),
    ]);
    tables
}

/// What is known of a workspace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkspaceState {
    Missing,
    Live,
    Destroyed,
}

fn state_of(row: Option<&sqlx::any::AnyRow>) -> Result<WorkspaceState, KeyError> {
    Ok(match row {
        None => WorkspaceState::Missing,
        Some(row) => match row.try_get::<Option<i64>, _>(0)? {
            None => WorkspaceState::Live,
            Some(_) => WorkspaceState::Destroyed,
        },
    })
}

const STATE: &str = "SELECT destroyed_generation FROM workspaces WHERE workspace = $1";

/// The workspace's state now.
pub(crate) async fn state(store: &Store, ws: WorkspaceId) -> Result<WorkspaceState, KeyError> {
    state_of(sqlx::query(STATE).bind(&ws.0[..]).fetch_optional(store.pool()).await?.as_ref())
}

/// The workspace's state in a transaction.
pub(crate) async fn state_in(tx: &mut Tx, ws: WorkspaceId) -> Result<WorkspaceState, KeyError> {
    state_of(sqlx::query(STATE).bind(&ws.0[..]).fetch_optional(&mut **tx).await?.as_ref())
}

fn version_of(row: &sqlx::any::AnyRow, column: usize) -> Result<u32, KeyError> {
    u32::try_from(row.try_get::<i64, _>(column)?).map_err(|_| KeyError::Integrity("a key version".into()))
}

fn master_row(row: &sqlx::any::AnyRow) -> Result<MasterRow, KeyError> {
    let body: Vec<u8> = row.try_get(2)?;
    let text = String::from_utf8(bodies::content(&body)?.to_vec());
    let text = text.map_err(|_| KeyError::Integrity("a wrapped key's text".into()))?;
    Ok(MasterRow { version: version_of(row, 0)?, wrapped: Wrapped { root_key_id: row.try_get(1)?, text } })
}

/// One version of a key, or with `None` the newest.
pub(crate) async fn find(
    store: &Store,
    ws: WorkspaceId,
    kind: MasterKind,
    version: Option<u32>,
) -> Result<Option<MasterRow>, KeyError> {
    let statement = match version {
        Some(_) => {
            "SELECT k.version, k.root_key, b.body FROM master_keys k JOIN bodies b ON b.id = k.body WHERE k.workspace = $1 AND k.kind = $2 AND k.version = $3"
        }
        None => {
            "SELECT k.version, k.root_key, b.body FROM master_keys k JOIN bodies b ON b.id = k.body WHERE k.workspace = $1 AND k.kind = $2 ORDER BY k.version DESC LIMIT 1"
        }
    };
    let mut query = sqlx::query(statement).bind(&ws.0[..]).bind(kind.letter());
    if let Some(version) = version {
        query = query.bind(i64::from(version));
    }
    query.fetch_optional(store.pool()).await?.as_ref().map(master_row).transpose()
}

/// Adds a workspace; false when it is there already.
pub(crate) async fn add_workspace(tx: &mut Tx, ws: WorkspaceId, now: Millis) -> Result<bool, KeyError> {
    let insert = sqlx::query("INSERT INTO workspaces (workspace, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING");
    Ok(insert.bind(&ws.0[..]).bind(now.0).execute(&mut **tx).await?.rows_affected() == 1)
}

/// Adds a version of a key; false, and nothing done, when that version is there already.
pub(crate) async fn insert(
    tx: &mut Tx,
    (ws, kind): (WorkspaceId, MasterKind),
    row: &MasterRow,
    now: Millis,
    generation: i64,
) -> Result<bool, KeyError> {
    let body = bodies::put(tx, row.wrapped.text.as_bytes()).await?;
    let insert = sqlx::query(
        "INSERT INTO master_keys (workspace, kind, version, root_key, body, created_at, changed_generation) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    );
    let insert = insert.bind(&ws.0[..]).bind(kind.letter()).bind(i64::from(row.version));
    let insert = insert.bind(row.wrapped.root_key_id.as_str()).bind(body).bind(now.0).bind(generation);
    let added = insert.execute(&mut **tx).await?.rows_affected() == 1;
    if !added {
        bodies::erase(tx, &[body]).await?;
    }
    Ok(added)
}

/// Up to `limit` rows that `root_key` does not wrap yet, after (`workspace`, kind, version) in order.
pub(crate) async fn wrapped_by_others(store: &Store, root_key: &str, limit: i64) -> Result<Vec<RewrapRow>, KeyError> {
    let select = sqlx::query(
        "SELECT k.version, k.root_key, b.body, k.workspace, k.kind FROM master_keys k JOIN bodies b ON b.id = k.body WHERE k.root_key <> $1 LIMIT $2",
    );
    let rows = select.bind(root_key).bind(limit).fetch_all(store.pool()).await?;
    let convert = |row: &sqlx::any::AnyRow| {
        let workspace = WorkspaceId::from_slice(&row.try_get::<Vec<u8>, _>(3)?);
        let workspace = workspace.ok_or_else(|| KeyError::Integrity("a workspace id".into()))?;
        Ok(RewrapRow { workspace, letter: row.try_get(4)?, row: master_row(row)? })
    };
    rows.iter().map(convert).collect()
}

/// Puts the key as wrapped anew in the place of the old wrapping. Nothing happens when the row has changed since it
/// was read, as it does when the workspace is destroyed.
pub(crate) async fn rewrap(tx: &mut Tx, old: &RewrapRow, new: &Wrapped) -> Result<(), KeyError> {
    let find = sqlx::query(
        "SELECT body FROM master_keys WHERE workspace = $1 AND kind = $2 AND version = $3 AND root_key = $4",
    );
    let find = find.bind(&old.workspace.0[..]).bind(old.letter.as_str()).bind(i64::from(old.row.version));
    let row = find.bind(old.row.wrapped.root_key_id.as_str()).fetch_optional(&mut **tx).await?;
    let Some(row) = row else { return Ok(()) };
    let body = bodies::replace(tx, row.try_get(0)?, new.text.as_bytes()).await?;
    let update = sqlx::query(
        "UPDATE master_keys SET root_key = $1, body = $2 WHERE workspace = $3 AND kind = $4 AND version = $5",
    );
    let update = update.bind(new.root_key_id.as_str()).bind(body).bind(&old.workspace.0[..]);
    update.bind(old.letter.as_str()).bind(i64::from(old.row.version)).execute(&mut **tx).await?;
    Ok(())
}

/// Erases a workspace's master keys and leaves a tombstone, also where the workspace never was.
pub(crate) async fn destroy(tx: &mut Tx, ws: WorkspaceId, now: Millis) -> Result<(), KeyError> {
    let generation = store::next_generation(tx).await?;
    add_workspace(tx, ws, now).await?;
    let tombstone = "UPDATE workspaces SET destroyed_generation = $1 WHERE workspace = $2";
    sqlx::query(tombstone).bind(generation).bind(&ws.0[..]).execute(&mut **tx).await?;
    let deleted = sqlx::query("DELETE FROM master_keys WHERE workspace = $1 RETURNING body").bind(&ws.0[..]);
    let rows = deleted.fetch_all(&mut **tx).await?;
    let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
    bodies::erase(tx, &ids).await
}

async fn workspaces_since(store: &Store, select: &'static str, generation: i64) -> Result<Vec<WorkspaceId>, KeyError> {
    let rows = sqlx::query(select).bind(generation).fetch_all(store.pool()).await?;
    let id = |row: &sqlx::any::AnyRow| {
        WorkspaceId::from_slice(&row.try_get::<Vec<u8>, _>(0)?).ok_or(KeyError::Integrity("a workspace id".into()))
    };
    rows.iter().map(id).collect()
}

/// Workspaces destroyed after `generation`.
pub(crate) async fn destroyed_since(store: &Store, generation: i64) -> Result<Vec<WorkspaceId>, KeyError> {
    workspaces_since(store, "SELECT workspace FROM workspaces WHERE destroyed_generation > $1", generation).await
}

/// Workspaces with a key version added after `generation`.
pub(crate) async fn rotated_since(store: &Store, generation: i64) -> Result<Vec<WorkspaceId>, KeyError> {
    workspaces_since(store, "SELECT DISTINCT workspace FROM master_keys WHERE changed_generation > $1", generation)
        .await
}
