//! Keys that a root key wraps: made, opened, rotated, wrapped anew and destroyed.
use crate::{
    aead::{Cipher, hmac},
    cache::{Cache, PLAINTEXT_TTL},
    db::{
        Store, Tx,
        master_rows::{self, MasterRow, WorkspaceState},
        store,
    },
    error::KeyError,
    key_id::{MasterKind, workspace_id},
    kms::{Kms, RootKey},
    secret::Secret32,
};
use schemas::{
    clock::{SharedClock, SharedEntropy},
    ids::WorkspaceId,
};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Master keys in memory at once.
pub(crate) const CAPACITY: usize = 4_096;
/// Rows wrapped anew between two looks at the key store.
const REWRAP_BATCH: i64 = 64;

/// A master key in the clear.
pub(crate) struct MasterKey {
    pub(crate) id: String,
    pub(crate) version: u32,
    pub(crate) secret: Secret32,
    /// The key itself, for wrapping.
    pub(crate) wrapping: Cipher,
    /// HMAC-SHA256(key, "cm-field-1"): small catalog fields have a key of their own, so that their random nonces are
    /// not those of wrappings.
    pub(crate) fields: Cipher,
}

impl MasterKey {
    pub(crate) fn new(id: String, version: u32, secret: Secret32) -> Result<Self, KeyError> {
        let fields = Secret32::from_slice(Zeroizing::new(hmac(&secret, &[b"cm-field-1"])).as_slice());
        let fields = fields.ok_or_else(|| KeyError::Integrity(id.clone()))?;
        let (wrapping, fields) = (Cipher::new(&secret), Cipher::new(&fields));
        Ok(Self { id, version, secret, wrapping, fields })
    }
}

type CacheKey = (WorkspaceId, MasterKind, Option<u32>);

/// The master keys of one database under one root key.
pub(crate) struct Masters {
    pub(crate) store: Arc<Store>,
    kms: Arc<dyn Kms>,
    root: RootKey,
    clock: SharedClock,
    entropy: SharedEntropy,
    cache: Cache<CacheKey, MasterKey>,
}

impl Masters {
    pub(crate) fn new(
        store: Arc<Store>,
        kms: Arc<dyn Kms>,
        root: RootKey,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Self {
        let cache = Cache::new(clock.clone(), PLAINTEXT_TTL, CAPACITY);
        Self { store, kms, root, clock, entropy, cache }
    }

    /// A new key, wrapped under the root.
    async fn fresh(&self, ws: WorkspaceId, kind: MasterKind, version: u32) -> Result<MasterRow, KeyError> {
        let secret = Secret32::random(&*self.entropy)?;
        let wrapped = self.kms.wrap(self.root, &secret, kind.id(ws, version).as_bytes()).await?;
        Ok(MasterRow { version, wrapped })
    }

    /// Makes version 1 of each kind that the workspace lacks.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] for a workspace that was destroyed: it is never made anew.
    pub(crate) async fn create(&self, ws: WorkspaceId, kinds: &[MasterKind]) -> Result<(), KeyError> {
        let mut rows = Vec::new();
        for &kind in kinds {
            if master_rows::find(&self.store, ws, kind, None).await?.is_none() {
                rows.push((kind, self.fresh(ws, kind, 1).await?));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        master_rows::add_workspace(&mut tx, ws, self.clock.now()).await?;
        if master_rows::state_in(&mut tx, ws).await? == WorkspaceState::Destroyed {
            return Err(KeyError::Destroyed(workspace_id(ws)));
        }
        for (kind, row) in rows {
            master_rows::insert(&mut tx, (ws, kind), &row, self.clock.now(), 0).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// One version of a key, or with `None` the newest. Cached for ten minutes.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] when the workspace was destroyed, [`KeyError::Unknown`] when it or the version never was.
    pub(crate) async fn get(
        &self,
        ws: WorkspaceId,
        kind: MasterKind,
        version: Option<u32>,
    ) -> Result<Arc<MasterKey>, KeyError> {
        let cache_key = (ws, kind, version);
        loop {
            if let Some(key) = self.cache.get(&cache_key) {
                return Ok(key);
            }
            let epoch = self.cache.epoch();
            let Some(row) = master_rows::find(&self.store, ws, kind, version).await? else {
                return Err(self.missing(ws, kind, version).await);
            };
            let id = kind.id(ws, row.version);
            let secret = self.kms.unwrap(&row.wrapped.root_key_id, &row.wrapped.text, id.as_bytes()).await?;
            let key = Arc::new(MasterKey::new(id, row.version, secret)?);
            if self.cache.insert(epoch, cache_key, key.clone()) {
                return Ok(key);
            }
        }
    }

    async fn missing(&self, ws: WorkspaceId, kind: MasterKind, version: Option<u32>) -> KeyError {
        match (master_rows::state(&self.store, ws).await, version) {
            (Ok(WorkspaceState::Destroyed), _) => KeyError::Destroyed(workspace_id(ws)),
            (Ok(_), Some(version)) => KeyError::Unknown(kind.id(ws, version)),
            (Ok(_), None) => KeyError::Unknown(workspace_id(ws)),
            (Err(error), _) => error,
        }
    }

    /// Adds a version and returns its number. When another process does the same at this time, its version counts.
    pub(crate) async fn rotate(&self, ws: WorkspaceId, kind: MasterKind) -> Result<u32, KeyError> {
        let Some(newest) = master_rows::find(&self.store, ws, kind, None).await? else {
            return Err(self.missing(ws, kind, None).await);
        };
        let version = newest.version.checked_add(1).ok_or_else(|| KeyError::Limit("key versions".into()))?;
        let row = self.fresh(ws, kind, version).await?;
        let mut tx = self.store.begin().await?;
        if master_rows::state_in(&mut tx, ws).await? != WorkspaceState::Live {
            return Err(KeyError::Destroyed(workspace_id(ws)));
        }
        let generation = store::next_generation(&mut tx).await?;
        master_rows::insert(&mut tx, (ws, kind), &row, self.clock.now(), generation).await?;
        tx.commit().await?;
        self.forget(ws);
        Ok(version)
    }

    /// Makes a new root version and wraps every master key anew under it. Each row changes at once or not at all, and
    /// old root versions go on to unwrap: killed at any point, everything opens, and the next rotation does the rest.
    pub(crate) async fn rotate_root(&self) -> Result<String, KeyError> {
        let root_key_id = self.kms.rotate(self.root).await?;
        let mut newest = root_key_id.clone();
        loop {
            let rows = master_rows::wrapped_by_others(&self.store, &newest, REWRAP_BATCH).await?;
            if rows.is_empty() {
                break;
            }
            for old in rows {
                let wrapped = &old.row.wrapped;
                let id = format!("{}/{}/v{}", old.letter, old.workspace, old.row.version);
                let secret = self.kms.unwrap(&wrapped.root_key_id, &wrapped.text, id.as_bytes()).await?;
                let new = self.kms.wrap(self.root, &secret, id.as_bytes()).await?;
                let mut tx = self.store.begin().await?;
                master_rows::rewrap(&mut tx, &old, &new).await?;
                tx.commit().await?;
                // Another process may have rotated meanwhile; then its version is the one to reach.
                newest = new.root_key_id;
            }
        }
        self.store.wipe_destroyed().await?;
        Ok(root_key_id)
    }

    /// Erases the workspace's master keys in a transaction; [`Self::forget`] follows its commit.
    pub(crate) async fn destroy(&self, tx: &mut Tx, ws: WorkspaceId) -> Result<(), KeyError> {
        master_rows::destroy(tx, ws, self.clock.now()).await
    }

    /// Drops the workspace's plaintext keys from memory.
    pub(crate) fn forget(&self, ws: WorkspaceId) {
        drop(self.cache.purge(|key| key.0 == ws));
    }

    /// Drops plaintext keys that are too old.
    pub(crate) fn sweep(&self) {
        self.cache.sweep();
    }
}
