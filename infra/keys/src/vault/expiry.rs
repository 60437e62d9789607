//! When tokens end, so that they are refreshed in time.
use super::{Vault, seal::name};
use crate::{
    db::{store, token_rows::ACTIVE},
    error::KeyError,
};
use schemas::{
    ids::{ConnectionId, WorkspaceId},
    time::Millis,
};
use sqlx::Row;

/// An active token that ends soon. No secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// Whose token.
    pub connection: ConnectionId,
    /// The connection's workspace.
    pub workspace: WorkspaceId,
    /// The platform, as it was put.
    pub platform: String,
    /// The kind, as it was put.
    pub kind: String,
    /// When it ends.
    pub at: Millis,
}

impl Vault {
    /// Notes when the newest active secret of a kind ends; `None` for never. A new generation starts without an end.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] when there is no active one, [`KeyError::Unavailable`].
    pub async fn set_expiry(&self, connection: ConnectionId, kind: &str, at: Option<Millis>) -> Result<(), KeyError> {
        let mut tx = self.inner.store.begin().await?;
        let update = sqlx::query(
            "UPDATE tokens SET expires_at = $1 WHERE connection = $2 AND kind = $3 AND state = $4 AND generation = (SELECT max(generation) FROM tokens WHERE connection = $2 AND kind = $3)",
        );
        let update = update.bind(at.map(|at| at.0)).bind(&connection.0[..]).bind(kind).bind(ACTIVE);
        if update.execute(&mut *tx).await?.rows_affected() == 0 {
            return Err(KeyError::Unknown(name(connection, kind)));
        }
        store::next_generation(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Active secrets that end before an instant, soonest first, at most `limit`.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`].
    pub async fn expiring(&self, before: Millis, limit: u32) -> Result<Vec<Expiring>, KeyError> {
        let select = sqlx::query(
            "SELECT connection, workspace, platform, kind, expires_at FROM tokens WHERE state = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3",
        );
        let select = select.bind(ACTIVE).bind(before.0).bind(i64::from(limit));
        let rows = select.fetch_all(self.inner.store.pool()).await?;
        let convert = |row: &sqlx::any::AnyRow| {
            let damaged = || KeyError::Integrity("a token's row".into());
            Ok(Expiring {
                connection: ConnectionId::from_slice(&row.try_get::<Vec<u8>, _>(0)?).ok_or_else(damaged)?,
                workspace: WorkspaceId::from_slice(&row.try_get::<Vec<u8>, _>(1)?).ok_or_else(damaged)?,
                platform: row.try_get(2)?,
                kind: row.try_get(3)?,
                at: Millis(row.try_get(4)?),
            })
        };
        rows.iter().map(convert).collect()
    }
}
