//! A workspace's keys from creation to destruction.
use super::Keyring;
use crate::{db::day_rows, error::KeyError, key_id::MasterKind, pseudonyms::Pseudonyms};
use schemas::ids::WorkspaceId;
use std::sync::Arc;

impl Keyring {
    /// Makes the workspace's keys, WMK v1 and HMK v1 (`security.md` §1). Doing it again changes nothing.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] for a workspace that was destroyed: it is never made anew.
    pub async fn create_workspace(&self, ws: WorkspaceId) -> Result<(), KeyError> {
        self.inner.masters.create(ws, &[MasterKind::Workspace, MasterKind::Pseudonym]).await
    }

    /// Adds a version of the workspace key and returns its number. New data is sealed under it, older versions only
    /// open (`security.md` §1: every 90 days).
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Destroyed`], [`KeyError::Unavailable`].
    pub async fn rotate_workspace(&self, ws: WorkspaceId) -> Result<u32, KeyError> {
        let version = self.inner.masters.rotate(ws, MasterKind::Workspace).await?;
        self.inner.forget_rotated(ws);
        Ok(version)
    }

    /// Makes a new version of `root-data` and wraps the key table's rows anew under it; returns its id. Killed inside,
    /// everything opens, and the next call does the rest (`security.md` §1: yearly).
    ///
    /// # Errors
    /// [`KeyError::Unavailable`], and [`KeyError::Integrity`] when a row does not verify; those before it stay done.
    pub async fn rotate_root(&self) -> Result<String, KeyError> {
        self.inner.masters.rotate_root().await
    }

    /// Overwrites all versions of WMK and HMK and all day keys of the workspace, empties the write-ahead log and purges
    /// caches: its files, records and backups go dark. The pseudonymous ids cannot be made again. Idempotent; a
    /// workspace that never was leaves a tombstone too.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`]: ask again, until it succeeds.
    pub async fn destroy_workspace(&self, ws: WorkspaceId) -> Result<(), KeyError> {
        let mut tx = self.inner.store.begin().await?;
        day_rows::destroy_workspace(&mut tx, ws).await?;
        self.inner.masters.destroy(&mut tx, ws).await?;
        tx.commit().await?;
        self.inner.forget_workspace(ws);
        self.inner.store.wipe_destroyed().await
    }

    /// What makes the workspace's pseudonymous ids. Cached; ask again for each piece of work.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Destroyed`], [`KeyError::Unavailable`].
    pub async fn pseudonyms(&self, ws: WorkspaceId) -> Result<Arc<Pseudonyms>, KeyError> {
        let inner = &self.inner;
        inner.ensure_fresh().await?;
        loop {
            if let Some(pseudonyms) = inner.pseudonyms.get(&ws) {
                return Ok(pseudonyms);
            }
            let epoch = inner.pseudonyms.epoch();
            // There is one version, for the workspace's whole life: ids must not change.
            let key = inner.masters.get(ws, MasterKind::Pseudonym, Some(1)).await?;
            let pseudonyms = Arc::new(Pseudonyms::new(&key));
            if inner.pseudonyms.insert(epoch, ws, pseudonyms.clone()) {
                return Ok(pseudonyms);
            }
        }
    }
}
