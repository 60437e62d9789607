//! Storing and replacing tokens, and the keys that seal them.
use super::{
    Vault,
    seal::{Place, name},
};
use crate::{
    aead::commitment,
    db::{
        Tx,
        master_rows::{self, WorkspaceState},
        store,
        token_rows::{self, ACTIVE, REVOKING, TokenRow},
    },
    error::KeyError,
    key_id::{MasterKind, workspace_id},
    masters::MasterKey,
};
use schemas::ids::{ConnectionId, WorkspaceId};

/// A secret to store.
struct New<'a> {
    connection: ConnectionId,
    workspace: WorkspaceId,
    platform: &'a str,
    kind: &'a str,
    secret: &'a [u8],
}

impl Vault {
    /// Stores the first secret of a kind. Where the connection already has an active one, this replaces it at once,
    /// as when the shop owner connects it again. The workspace's token key is made when it has none.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] when the workspace was destroyed, [`KeyError::Limit`] while the connection is being
    /// revoked (destroy it first), [`KeyError::Integrity`] when it belongs to another workspace,
    /// [`KeyError::Unavailable`].
    pub async fn put(
        &self,
        connection: ConnectionId,
        ws: WorkspaceId,
        platform: &str,
        kind: &str,
        secret: &[u8],
    ) -> Result<(), KeyError> {
        self.inner.masters.create(ws, &[MasterKind::Token]).await?;
        let key = self.inner.masters.get(ws, MasterKind::Token, None).await?;
        let mut tx = self.inner.store.begin().await?;
        self.check_workspace(&mut tx, connection, ws).await?;
        let rows = token_rows::find(&mut tx, connection, kind).await?;
        if rows.iter().any(|row| row.state == REVOKING) {
            return Err(KeyError::Limit(format!("{} is being revoked", name(connection, kind))));
        }
        let new = New { connection, workspace: ws, platform, kind, secret };
        self.add(&mut tx, &new, &key, &rows, 0).await?;
        tx.commit().await?;
        self.empty_log().await;
        Ok(())
    }

    /// Replaces the active secret of a kind by the next generation. With `keep_previous` the one that was newest stays
    /// active beside it, for a platform that still signs with it; the next rotation erases it.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] when there is none or it was revoked, [`KeyError::Unavailable`].
    pub async fn rotate(
        &self,
        connection: ConnectionId,
        kind: &str,
        secret: &[u8],
        keep_previous: bool,
    ) -> Result<(), KeyError> {
        let unknown = || KeyError::Unknown(name(connection, kind));
        let mut held = self.inner.store.pool().acquire().await?;
        let rows = token_rows::find(&mut held, connection, kind).await?;
        drop(held);
        let ws = rows.first().ok_or_else(unknown)?.workspace;
        let key = self.inner.masters.get(ws, MasterKind::Token, None).await?;
        let mut tx = self.inner.store.begin().await?;
        self.check_workspace(&mut tx, connection, ws).await?;
        let rows = token_rows::find(&mut tx, connection, kind).await?;
        let newest = rows.first().filter(|row| row.state == ACTIVE).ok_or_else(unknown)?;
        let new = New { connection, workspace: ws, platform: &newest.platform, kind, secret };
        self.add(&mut tx, &new, &key, &rows, usize::from(keep_previous)).await?;
        tx.commit().await?;
        self.empty_log().await;
        Ok(())
    }

    /// What was replaced shall not linger in the write-ahead log. The change itself is done, so a log that is in use
    /// is no error; the next change empties it.
    async fn empty_log(&self) {
        if let Err(error) = self.inner.store.wipe_replaced().await {
            tracing::warn!(%error, "a replaced token stays in the vault's write-ahead log for now");
        }
    }

    /// A workspace that is destroyed takes no token, and a connection stays in its workspace.
    async fn check_workspace(&self, tx: &mut Tx, connection: ConnectionId, ws: WorkspaceId) -> Result<(), KeyError> {
        if master_rows::state_in(tx, ws).await? != WorkspaceState::Live {
            return Err(KeyError::Destroyed(workspace_id(ws)));
        }
        match token_rows::workspace_of(tx, connection).await? {
            Some(owner) if owner != ws => {
                Err(KeyError::Integrity(format!("connection {connection} belongs to another workspace")))
            }
            _ => Ok(()),
        }
    }

    /// Adds the generation after the newest of `rows` and erases all but the first `keep` of them.
    async fn add(
        &self,
        tx: &mut Tx,
        new: &New<'_>,
        key: &MasterKey,
        rows: &[TokenRow],
        keep: usize,
    ) -> Result<(), KeyError> {
        let New { connection, workspace, platform, kind, secret } = *new;
        let generation = rows.first().map_or(1, |row| row.generation + 1);
        let place = Place { connection, workspace, platform, kind, generation };
        let sealed = key.wrapping.seal_random(&*self.inner.entropy, &place.aad(), secret)?;
        for row in rows.iter().skip(keep) {
            token_rows::remove(tx, (connection, kind), row).await?;
        }
        let row = TokenRow {
            generation,
            state: ACTIVE.into(),
            workspace,
            platform: platform.into(),
            key_version: key.version,
            commitment: commitment(&key.secret, key.id.as_bytes()).to_vec(),
            sealed: Some(sealed),
            body: None,
        };
        token_rows::insert(tx, (connection, kind), &row).await?;
        store::next_generation(tx).await.map(drop)
    }

    /// Adds a version of the workspace's token key; what is stored from now on is sealed under it.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Destroyed`], [`KeyError::Unavailable`].
    pub async fn rotate_workspace(&self, ws: WorkspaceId) -> Result<u32, KeyError> {
        self.inner.masters.rotate(ws, MasterKind::Token).await
    }

    /// Makes a new version of `root-token` and wraps the token keys anew under it; returns its id. Safe to kill inside.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`], [`KeyError::Integrity`].
    pub async fn rotate_root(&self) -> Result<String, KeyError> {
        self.inner.masters.rotate_root().await
    }
}
