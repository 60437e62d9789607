//! Rows of platform tokens (`security.md` §4). At most two generations of a connection's kind are kept, and a
//! destroyed one leaves its number, so that no generation is used twice.
use super::{Tx, bodies, dialect::Dialect, master_rows};
use crate::error::KeyError;
use schemas::ids::{ConnectionId, WorkspaceId};
use sqlx::{AnyConnection, Row, any::AnyRow};

/// May be used.
pub(crate) const ACTIVE: &str = "active";
/// Only to be revoked at the platform.
pub(crate) const REVOKING: &str = "revoking";
/// Erased.
pub(crate) const DESTROYED: &str = "destroyed";

/// A sealed token.
pub(crate) struct TokenRow {
    pub(crate) generation: u64,
    pub(crate) state: String,
    pub(crate) workspace: WorkspaceId,
    pub(crate) platform: String,
    pub(crate) key_version: u32,
    pub(crate) commitment: Vec<u8>,
    /// nonce ‖ ciphertext ‖ tag; `None` once it is erased.
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) body: Option<i64>,
}

/// The tables.
pub(crate) fn tables(dialect: Dialect) -> Vec<String> {
    let bytes = dialect.bytes();
    let mut tables = master_rows::tables(dialect);
    tables.extend([
        format!("CREATE TABLE IF NOT EXISTS tokens (connection {bytes} NOT NULL, kind TEXT NOT NULL, generation BIGINT NOT NULL, workspace {bytes} NOT NULL, platform TEXT NOT NULL, key_version BIGINT NOT NULL, commitment {bytes} NOT NULL, body BIGINT, expires_at BIGINT, state TEXT NOT NULL, PRIMARY KEY (connection, kind, generation))"),
        "CREATE INDEX IF NOT EXISTS tokens_by_workspace ON tokens (workspace)".into(),
    ]);
    tables
}

fn damaged() -> KeyError {
    KeyError::Integrity("a token's row".into())
}

fn token_row(row: &AnyRow) -> Result<TokenRow, KeyError> {
    let workspace: Vec<u8> = row.try_get(2)?;
    let body: Option<Vec<u8>> = row.try_get(6)?;
    Ok(TokenRow {
        generation: u64::try_from(row.try_get::<i64, _>(0)?).map_err(|_| damaged())?,
        state: row.try_get(1)?,
        workspace: WorkspaceId::from_slice(&workspace).ok_or_else(damaged)?,
        platform: row.try_get(3)?,
        key_version: u32::try_from(row.try_get::<i64, _>(4)?).map_err(|_| damaged())?,
        commitment: row.try_get(5)?,
        sealed: body.as_deref().map(bodies::content).transpose()?.map(<[u8]>::to_vec),
        body: row.try_get(7)?,
    })
}

/// All rows of a connection's kind, newest first.
pub(crate) async fn find(
    connection: &mut AnyConnection,
    id: ConnectionId,
    kind: &str,
) -> Result<Vec<TokenRow>, KeyError> {
    let select = sqlx::query(
        "SELECT t.generation, t.state, t.workspace, t.platform, t.key_version, t.commitment, b.body, t.body FROM tokens t LEFT JOIN bodies b ON b.id = t.body WHERE t.connection = $1 AND t.kind = $2 ORDER BY t.generation DESC",
    );
    let rows = select.bind(&id.0[..]).bind(kind).fetch_all(connection).await?;
    rows.iter().map(token_row).collect()
}

/// Adds a generation.
pub(crate) async fn insert(tx: &mut Tx, (id, kind): (ConnectionId, &str), row: &TokenRow) -> Result<(), KeyError> {
    let sealed = row.sealed.as_deref().ok_or_else(damaged)?;
    let body = bodies::put(tx, sealed).await?;
    let insert = sqlx::query(
        "INSERT INTO tokens (connection, kind, generation, workspace, platform, key_version, commitment, body, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    );
    let generation = i64::try_from(row.generation).map_err(|_| damaged())?;
    let insert = insert.bind(&id.0[..]).bind(kind).bind(generation).bind(&row.workspace.0[..]);
    let insert = insert.bind(row.platform.as_str()).bind(i64::from(row.key_version)).bind(row.commitment.as_slice());
    insert.bind(body).bind(row.state.as_str()).execute(&mut **tx).await?;
    Ok(())
}

/// Erases a generation's secret and removes its row.
pub(crate) async fn remove(tx: &mut Tx, (id, kind): (ConnectionId, &str), row: &TokenRow) -> Result<(), KeyError> {
    bodies::erase(tx, row.body.as_slice()).await?;
    let delete = sqlx::query("DELETE FROM tokens WHERE connection = $1 AND kind = $2 AND generation = $3");
    let generation = i64::try_from(row.generation).map_err(|_| damaged())?;
    delete.bind(&id.0[..]).bind(kind).bind(generation).execute(&mut **tx).await?;
    Ok(())
}

/// The workspace that a connection's tokens belong to, if it has or had any.
pub(crate) async fn workspace_of(tx: &mut Tx, id: ConnectionId) -> Result<Option<WorkspaceId>, KeyError> {
    let select = sqlx::query("SELECT workspace FROM tokens WHERE connection = $1 LIMIT 1").bind(&id.0[..]);
    let Some(row) = select.fetch_optional(&mut **tx).await? else { return Ok(None) };
    WorkspaceId::from_slice(&row.try_get::<Vec<u8>, _>(0)?).ok_or_else(damaged).map(Some)
}

/// Takes a connection's active tokens out of use.
pub(crate) async fn revoke(tx: &mut Tx, id: ConnectionId) -> Result<(), KeyError> {
    let update = sqlx::query("UPDATE tokens SET state = $1 WHERE connection = $2 AND state = $3");
    update.bind(REVOKING).bind(&id.0[..]).bind(ACTIVE).execute(&mut **tx).await?;
    Ok(())
}

async fn erase_bodies(tx: &mut Tx, select: &'static str, id: &[u8]) -> Result<(), KeyError> {
    let rows = sqlx::query(select).bind(id).fetch_all(&mut **tx).await?;
    let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
    bodies::erase(tx, &ids).await
}

/// Erases a connection's tokens; their generations stay.
pub(crate) async fn destroy(tx: &mut Tx, id: ConnectionId) -> Result<(), KeyError> {
    let select = "SELECT body FROM tokens WHERE connection = $1 AND body IS NOT NULL";
    erase_bodies(tx, select, &id.0).await?;
    let update = sqlx::query("UPDATE tokens SET state = $1, body = NULL, expires_at = NULL WHERE connection = $2");
    update.bind(DESTROYED).bind(&id.0[..]).execute(&mut **tx).await?;
    Ok(())
}

/// Erases a workspace's tokens and removes their rows.
pub(crate) async fn destroy_workspace(tx: &mut Tx, ws: WorkspaceId) -> Result<(), KeyError> {
    erase_bodies(tx, "SELECT body FROM tokens WHERE workspace = $1 AND body IS NOT NULL", &ws.0).await?;
    sqlx::query("DELETE FROM tokens WHERE workspace = $1").bind(&ws.0[..]).execute(&mut **tx).await?;
    Ok(())
}
