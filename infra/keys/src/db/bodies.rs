//! Wrapped keys and sealed tokens, kept so that they can be erased for good.
//!
//! SQLite overwrites what it frees (`secure_delete`), but when it spreads rows over pages anew it may leave copies of
//! rows that live on, and nothing ever overwrites those. So everything that must be erasable lies in one table that is
//! only appended to, never has a row deleted, and changes a row only into another of the same length: then each row
//! stays where it was first written, and writing zeros over it erases its only copy. Erased rows are used again. In PostgreSQL, what a
//! row was before lies beside it until [`super::wipe`] has the table written anew.
use super::{Tx, dialect::Dialect};
use crate::error::KeyError;
use sqlx::Row;

/// Bodies are padded to a multiple of this, so that a key wrapped anew fits its old place and places are used again.
const STEP: usize = 32;

/// The tables.
pub(crate) fn tables(dialect: Dialect) -> Vec<String> {
    let (key, bytes) = (dialect.growing_key(), dialect.bytes());
    vec![
        format!("CREATE TABLE IF NOT EXISTS bodies (id {key}, body {bytes} NOT NULL)"),
        "CREATE TABLE IF NOT EXISTS free_bodies (id BIGINT PRIMARY KEY, length BIGINT NOT NULL)".into(),
        "CREATE INDEX IF NOT EXISTS free_bodies_by_length ON free_bodies (length)".into(),
    ]
}

/// Length u32 big-endian ‖ content ‖ zeros.
fn framed(content: &[u8]) -> Result<Vec<u8>, KeyError> {
    let length = u32::try_from(content.len()).map_err(|_| KeyError::Limit("a sealed body of 4 GiB".into()))?;
    let mut body = Vec::with_capacity((content.len() + 4).next_multiple_of(STEP));
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(content);
    body.resize(body.len().next_multiple_of(STEP), 0);
    Ok(body)
}

/// The content of a body.
pub(crate) fn content(body: &[u8]) -> Result<&[u8], KeyError> {
    let damaged = || KeyError::Integrity("a sealed body of the key store".into());
    let (length, rest) = body.split_first_chunk::<4>().ok_or_else(damaged)?;
    rest.get(..u32::from_be_bytes(*length) as usize).ok_or_else(damaged)
}

fn as_length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Stores `content` and returns its id.
pub(crate) async fn put(tx: &mut Tx, content: &[u8]) -> Result<i64, KeyError> {
    let body = framed(content)?;
    let take = "DELETE FROM free_bodies WHERE id = (SELECT id FROM free_bodies WHERE length = $1 LIMIT 1) RETURNING id";
    let free = sqlx::query(take).bind(as_length(body.len())).fetch_all(&mut **tx).await?;
    if let Some(row) = free.first() {
        let id: i64 = row.try_get(0)?;
        sqlx::query("UPDATE bodies SET body = $1 WHERE id = $2").bind(body).bind(id).execute(&mut **tx).await?;
        return Ok(id);
    }
    let insert = sqlx::query("INSERT INTO bodies (body) VALUES ($1) RETURNING id").bind(body);
    let rows = insert.fetch_all(&mut **tx).await?;
    let row = rows.first().ok_or_else(|| KeyError::Unavailable("the key store gave no row id".into()))?;
    Ok(row.try_get(0)?)
}

/// Puts `content` in the place of an older one, and returns its id: the same, or a new one if it did not fit.
pub(crate) async fn replace(tx: &mut Tx, id: i64, content: &[u8]) -> Result<i64, KeyError> {
    let body = framed(content)?;
    let length = as_length(body.len());
    let update = sqlx::query("UPDATE bodies SET body = $1 WHERE id = $2 AND length(body) = $3").bind(body);
    if update.bind(id).bind(length).execute(&mut **tx).await?.rows_affected() == 1 {
        return Ok(id);
    }
    erase(tx, &[id]).await?;
    put(tx, content).await
}

/// Writes zeros over bodies. Their ids must not be used any more.
pub(crate) async fn erase(tx: &mut Tx, ids: &[i64]) -> Result<(), KeyError> {
    for &id in ids {
        let row =
            sqlx::query("SELECT length(body) FROM bodies WHERE id = $1").bind(id).fetch_optional(&mut **tx).await?;
        let Some(row) = row else { continue };
        let length: i64 = row.try_get(0)?;
        let zeros = vec![0u8; usize::try_from(length).unwrap_or(0)];
        sqlx::query("UPDATE bodies SET body = $1 WHERE id = $2").bind(zeros).bind(id).execute(&mut **tx).await?;
        let insert = sqlx::query("INSERT INTO free_bodies (id, length) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        insert.bind(id).bind(length).execute(&mut **tx).await?;
    }
    Ok(())
}
