//! Rows of day keys. A destroyed one leaves its row without a key: the tombstone that keeps it from being made anew.
use super::{Store, Tx, bodies, dialect::Dialect};
use crate::error::KeyError;
use schemas::{
    ids::WorkspaceId,
    partition::{PartitionDay, RetentionClass},
};
use sqlx::{Row, any::AnyRow};

/// What a day key belongs to.
pub(crate) type DayId = (WorkspaceId, PartitionDay, RetentionClass);

/// A day key as it is stored.
pub(crate) enum DayRow {
    Destroyed,
    /// Wrapped by this version of the workspace key.
    Live {
        key_version: u32,
        wrapped: String,
    },
}

/// The tables.
pub(crate) fn tables(dialect: Dialect) -> Vec<String> {
    let bytes = dialect.bytes();
    vec![
        format!("CREATE TABLE IF NOT EXISTS day_keys (workspace {bytes} NOT NULL, day BIGINT NOT NULL, class BIGINT NOT NULL, key_version BIGINT NOT NULL, body BIGINT, destroyed_generation BIGINT, PRIMARY KEY (workspace, day, class))"),
        "CREATE INDEX IF NOT EXISTS day_keys_destroyed ON day_keys (destroyed_generation) WHERE destroyed_generation IS NOT NULL".into(),
    ]
}

fn damaged() -> KeyError {
    KeyError::Integrity("a day key's row".into())
}

fn day_row(row: &AnyRow) -> Result<DayRow, KeyError> {
    let destroyed: Option<i64> = row.try_get(1)?;
    let body: Option<Vec<u8>> = row.try_get(2)?;
    match (destroyed, body) {
        (Some(_), None) => Ok(DayRow::Destroyed),
        (None, Some(body)) => {
            let key_version = u32::try_from(row.try_get::<i64, _>(0)?).map_err(|_| damaged())?;
            let wrapped = String::from_utf8(bodies::content(&body)?.to_vec()).map_err(|_| damaged())?;
            Ok(DayRow::Live { key_version, wrapped })
        }
        _ => Err(damaged()),
    }
}

fn day_id(row: &AnyRow, first: usize) -> Result<DayId, KeyError> {
    let ws = WorkspaceId::from_slice(&row.try_get::<Vec<u8>, _>(first)?).ok_or_else(damaged)?;
    let day = i32::try_from(row.try_get::<i64, _>(first + 1)?).map_err(|_| damaged())?;
    let class = u16::try_from(row.try_get::<i64, _>(first + 2)?).map_err(|_| damaged())?;
    Ok((ws, PartitionDay(day), RetentionClass(class)))
}

/// One row; `None` when there never was one.
pub(crate) async fn find(
    connection: &mut sqlx::AnyConnection,
    (ws, day, class): DayId,
) -> Result<Option<DayRow>, KeyError> {
    let select = sqlx::query(
        "SELECT d.key_version, d.destroyed_generation, b.body FROM day_keys d LEFT JOIN bodies b ON b.id = d.body WHERE d.workspace = $1 AND d.day = $2 AND d.class = $3",
    );
    let select = select.bind(&ws.0[..]).bind(i64::from(day.0)).bind(i64::from(class.0));
    select.fetch_optional(connection).await?.as_ref().map(day_row).transpose()
}

/// Adds a day key, unless there is or was one.
pub(crate) async fn insert(tx: &mut Tx, id: DayId, key_version: u32, wrapped: &str) -> Result<(), KeyError> {
    if find(tx, id).await?.is_some() {
        return Ok(());
    }
    let (ws, day, class) = id;
    let body = bodies::put(tx, wrapped.as_bytes()).await?;
    let insert = sqlx::query(
        "INSERT INTO day_keys (workspace, day, class, key_version, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    );
    let insert = insert.bind(&ws.0[..]).bind(i64::from(day.0)).bind(i64::from(class.0));
    let insert = insert.bind(i64::from(key_version)).bind(body);
    if insert.execute(&mut **tx).await?.rows_affected() == 0 {
        bodies::erase(tx, &[body]).await?;
    }
    Ok(())
}

/// Erases a day key and leaves its tombstone, also where there never was one.
pub(crate) async fn destroy(tx: &mut Tx, (ws, day, class): DayId, generation: i64) -> Result<(), KeyError> {
    let select = sqlx::query("SELECT body FROM day_keys WHERE workspace = $1 AND day = $2 AND class = $3");
    let select = select.bind(&ws.0[..]).bind(i64::from(day.0)).bind(i64::from(class.0));
    let body: Option<i64> = match select.fetch_optional(&mut **tx).await? {
        Some(row) => row.try_get(0)?,
        None => None,
    };
    bodies::erase(tx, body.as_slice()).await?;
    let tombstone = sqlx::query(
        "INSERT INTO day_keys (workspace, day, class, key_version, destroyed_generation) VALUES ($1, $2, $3, 0, $4) ON CONFLICT (workspace, day, class) DO UPDATE SET body = NULL, destroyed_generation = excluded.destroyed_generation WHERE day_keys.destroyed_generation IS NULL",
    );
    let tombstone = tombstone.bind(&ws.0[..]).bind(i64::from(day.0)).bind(i64::from(class.0)).bind(generation);
    tombstone.execute(&mut **tx).await?;
    Ok(())
}

/// Erases all day keys of a workspace. The workspace's own tombstone then stands for all of theirs.
pub(crate) async fn destroy_workspace(tx: &mut Tx, ws: WorkspaceId) -> Result<(), KeyError> {
    let deleted = sqlx::query("DELETE FROM day_keys WHERE workspace = $1 RETURNING body").bind(&ws.0[..]);
    let rows = deleted.fetch_all(&mut **tx).await?;
    let ids = rows.iter().filter_map(|row| row.try_get::<Option<i64>, _>(0).transpose());
    bodies::erase(tx, &ids.collect::<Result<Vec<_>, _>>()?).await
}

/// The live day keys of a workspace, of one day or of all.
pub(crate) async fn list(store: &Store, ws: WorkspaceId, day: Option<PartitionDay>) -> Result<Vec<DayId>, KeyError> {
    let select = sqlx::query(
        "SELECT workspace, day, class FROM day_keys WHERE workspace = $1 AND day BETWEEN $2 AND $3 AND destroyed_generation IS NULL ORDER BY day, class",
    );
    let first = day.map_or(i32::MIN, |d| d.0);
    let last = day.map_or(i32::MAX, |d| d.0);
    let select = select.bind(&ws.0[..]).bind(i64::from(first)).bind(i64::from(last));
    select.fetch_all(store.pool()).await?.iter().map(|row| day_id(row, 0)).collect()
}

/// Day keys destroyed after `generation`.
pub(crate) async fn destroyed_since(store: &Store, generation: i64) -> Result<Vec<DayId>, KeyError> {
    let select = sqlx::query("SELECT workspace, day, class FROM day_keys WHERE destroyed_generation > $1");
    select.bind(generation).fetch_all(store.pool()).await?.iter().map(|row| day_id(row, 0)).collect()
}
