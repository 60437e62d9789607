//! Taking tokens out of use.
use super::Vault;
use crate::{
    db::{store, token_rows},
    error::KeyError,
};
use schemas::ids::{ConnectionId, WorkspaceId};

impl Vault {
    /// Takes all secrets of a connection out of use, at once and for every process; only [`Self::use_revoking`] opens
    /// them from now on. Idempotent.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`].
    pub async fn revoke(&self, connection: ConnectionId) -> Result<(), KeyError> {
        let mut tx = self.inner.store.begin().await?;
        token_rows::revoke(&mut tx, connection).await?;
        store::next_generation(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Overwrites all secrets of a connection and empties the write-ahead log (`security.md` §4). Idempotent.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`]: ask again, until it succeeds.
    pub async fn destroy(&self, connection: ConnectionId) -> Result<(), KeyError> {
        let mut tx = self.inner.store.begin().await?;
        token_rows::destroy(&mut tx, connection).await?;
        store::next_generation(&mut tx).await?;
        tx.commit().await?;
        self.inner.store.wipe_destroyed().await
    }

    /// Overwrites all secrets of a workspace and its token keys, and leaves a tombstone. Idempotent.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`]: ask again, until it succeeds.
    pub async fn destroy_workspace(&self, ws: WorkspaceId) -> Result<(), KeyError> {
        let mut tx = self.inner.store.begin().await?;
        token_rows::destroy_workspace(&mut tx, ws).await?;
        self.inner.masters.destroy(&mut tx, ws).await?;
        tx.commit().await?;
        self.inner.masters.forget(ws);
        self.inner.store.wipe_destroyed().await
    }
}
