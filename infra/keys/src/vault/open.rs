//! Using tokens.
use super::{
    Vault,
    seal::{self, name},
};
use crate::{
    db::token_rows::{self, ACTIVE, REVOKING},
    error::KeyError,
    key_id::MasterKind,
};
use schemas::ids::ConnectionId;

impl Vault {
    /// Opens the active secrets of a kind, newest first (one, or two during a rotation), for `f`. State and generation
    /// are read from the database at each call; the plaintext is wiped when `f` returns.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] when there is none or it was revoked, [`KeyError::Integrity`] when one does not verify,
    /// [`KeyError::Unavailable`].
    pub async fn use_active<T>(
        &self,
        connection: ConnectionId,
        kind: &str,
        f: impl FnOnce(&[&[u8]]) -> T + Send,
    ) -> Result<T, KeyError> {
        self.use_in(ACTIVE, connection, kind, f).await
    }

    /// Opens the secrets of a connection under revocation, for the one who revokes them at the platform
    /// (`security.md` §4) and for no one else.
    ///
    /// # Errors
    /// As [`Self::use_active`].
    pub async fn use_revoking<T>(
        &self,
        connection: ConnectionId,
        kind: &str,
        f: impl FnOnce(&[&[u8]]) -> T + Send,
    ) -> Result<T, KeyError> {
        self.use_in(REVOKING, connection, kind, f).await
    }

    async fn use_in<T>(
        &self,
        state: &str,
        connection: ConnectionId,
        kind: &str,
        f: impl FnOnce(&[&[u8]]) -> T + Send,
    ) -> Result<T, KeyError> {
        let mut held = self.inner.store.pool().acquire().await?;
        let mut rows = token_rows::find(&mut held, connection, kind).await?;
        drop(held);
        rows.retain(|row| row.state == state);
        if rows.is_empty() {
            return Err(KeyError::Unknown(name(connection, kind)));
        }
        let mut secrets = Vec::with_capacity(rows.len());
        for row in &rows {
            let key = self.inner.masters.get(row.workspace, MasterKind::Token, Some(row.key_version)).await?;
            secrets.push(seal::open(connection, kind, row, &key)?);
        }
        let borrowed: Vec<&[u8]> = secrets.iter().map(|secret| secret.as_slice()).collect();
        Ok(f(&borrowed))
    }
}
