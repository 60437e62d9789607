//! Day keys: made at the first row of a day, destroyed when the day is past.
use super::{Inner, Keyring};
use crate::{
    aead::wrapping_aad,
    day_key::DayKey,
    db::{
        day_rows::{self, DayId, DayRow},
        master_rows::{self, WorkspaceState},
        store,
    },
    error::KeyError,
    key_id::{MasterKind, master_key_id, workspace_id},
    secret::Secret32,
};
use schemas::{
    ids::WorkspaceId,
    partition::{PartitionDay, RetentionClass},
};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};
use zeroize::Zeroizing;

fn id_of((ws, day, class): DayId) -> String {
    master_key_id(ws, day, class)
}

impl Inner {
    /// The day key, if there is or was one.
    async fn find_day(&self, id: DayId) -> Result<Option<Arc<DayKey>>, KeyError> {
        loop {
            if let Some(key) = self.days.get(&id) {
                return Ok(Some(key));
            }
            let epoch = self.days.epoch();
            let mut connection = self.store.pool().acquire().await?;
            let row = day_rows::find(&mut connection, id).await?;
            drop(connection);
            let (key_version, wrapped) = match row {
                None => return Ok(None),
                Some(DayRow::Destroyed) => return Err(KeyError::Destroyed(id_of(id))),
                Some(DayRow::Live { key_version, wrapped }) => (key_version, wrapped),
            };
            let master = self.masters.get(id.0, MasterKind::Workspace, Some(key_version)).await?;
            let aad = wrapping_aad(&master.id, id_of(id).as_bytes());
            let secret = master.wrapping.unwrap_text(&wrapped, &aad);
            let secret = secret.ok_or_else(|| KeyError::Integrity(format!("the day key {}", id_of(id))))?;
            let key = Arc::new(DayKey::new(id, secret));
            if self.days.insert(epoch, id, key.clone()) {
                return Ok(Some(key));
            }
        }
    }

    /// Makes the day keys that are missing, in one transaction. Whoever comes second finds the first one's.
    async fn make_days(&self, ids: &[DayId]) -> Result<(), KeyError> {
        let mut masters = HashMap::new();
        let mut made = Vec::with_capacity(ids.len());
        for &id in ids {
            let master = match masters.entry(id.0) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(self.masters.get(id.0, MasterKind::Workspace, None).await?),
            };
            let secret = Secret32::random(&*self.entropy)?;
            let aad = wrapping_aad(&master.id, id_of(id).as_bytes());
            made.push((id, master.version, master.wrapping.wrap_text(&*self.entropy, &aad, &secret)?));
        }
        let mut tx = self.store.begin().await?;
        for &ws in masters.keys() {
            if master_rows::state_in(&mut tx, ws).await? != WorkspaceState::Live {
                return Err(KeyError::Destroyed(workspace_id(ws)));
            }
        }
        for (id, version, wrapped) in made {
            day_rows::insert(&mut tx, id, version, &wrapped).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

impl Keyring {
    /// An existing day key.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] when it was never made, [`KeyError::Destroyed`] when it or its workspace was destroyed,
    /// [`KeyError::Unavailable`], [`KeyError::Integrity`].
    pub async fn day_key(
        &self,
        ws: WorkspaceId,
        day: PartitionDay,
        class: RetentionClass,
    ) -> Result<Arc<DayKey>, KeyError> {
        self.inner.ensure_fresh().await?;
        if let Some(key) = self.inner.find_day((ws, day, class)).await? {
            return Ok(key);
        }
        match master_rows::state(&self.inner.store, ws).await? {
            WorkspaceState::Destroyed => Err(KeyError::Destroyed(workspace_id(ws))),
            _ => Err(KeyError::Unknown(master_key_id(ws, day, class))),
        }
    }

    /// A day key, made if there never was one. Any number of tasks and processes that ask at once get the same key.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] when it was destroyed: it is never made anew. [`KeyError::Unknown`] when the workspace
    /// was never created.
    pub async fn day_key_or_create(
        &self,
        ws: WorkspaceId,
        day: PartitionDay,
        class: RetentionClass,
    ) -> Result<Arc<DayKey>, KeyError> {
        let keys = self.day_keys_or_create(&[(ws, day, class)]).await?;
        keys.into_iter().next().ok_or_else(|| KeyError::Unknown(master_key_id(ws, day, class)))
    }

    /// [`Self::day_key_or_create`] of many, in the order asked for; those that are missing are made in one transaction.
    ///
    /// # Errors
    /// As above, for the first that fails: leave it out and ask again.
    pub async fn day_keys_or_create(&self, ids: &[DayId]) -> Result<Vec<Arc<DayKey>>, KeyError> {
        self.inner.ensure_fresh().await?;
        let mut missing = Vec::new();
        let mut found = Vec::with_capacity(ids.len());
        for &id in ids {
            match self.inner.find_day(id).await? {
                Some(key) => found.push(Some(key)),
                None => {
                    missing.push(id);
                    found.push(None);
                }
            }
        }
        if !missing.is_empty() {
            missing.sort_unstable();
            missing.dedup();
            self.inner.make_days(&missing).await?;
        }
        let mut keys = Vec::with_capacity(ids.len());
        for (&id, key) in ids.iter().zip(found) {
            keys.push(match key {
                Some(key) => key,
                None => self.inner.find_day(id).await?.ok_or_else(|| KeyError::Destroyed(workspace_id(id.0)))?,
            });
        }
        Ok(keys)
    }

    /// Overwrites day keys and leaves tombstones, so that they are never made anew; empties the write-ahead log and
    /// purges caches (`security.md` §5: first the day key, then rows, then objects). Idempotent; a key that never was
    /// leaves a tombstone too.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`]: ask again, until it succeeds, before anything else of the day is removed.
    pub async fn destroy_day_keys(&self, keys: &[DayId]) -> Result<(), KeyError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut tx = self.inner.store.begin().await?;
        let generation = store::next_generation(&mut tx).await?;
        for &id in keys {
            day_rows::destroy(&mut tx, id, generation).await?;
        }
        tx.commit().await?;
        self.inner.forget_days(&keys.iter().copied().collect());
        self.inner.store.wipe_destroyed().await
    }

    /// The workspace's live day keys, of one day or of all, as (`masterKeyID`, key in base64), ordered by day and
    /// class: what a PyArrow KMS client needs to read the workspace's files. The caller audits it (`security.md` §6).
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] or [`KeyError::Unknown`] for the workspace, [`KeyError::Unavailable`].
    pub async fn export_day_keys(
        &self,
        ws: WorkspaceId,
        day: Option<PartitionDay>,
    ) -> Result<Vec<(String, Zeroizing<String>)>, KeyError> {
        self.inner.ensure_fresh().await?;
        match master_rows::state(&self.inner.store, ws).await? {
            WorkspaceState::Live => {}
            WorkspaceState::Destroyed => return Err(KeyError::Destroyed(workspace_id(ws))),
            WorkspaceState::Missing => return Err(KeyError::Unknown(workspace_id(ws))),
        }
        let mut keys = Vec::new();
        for id in day_rows::list(&self.inner.store, ws, day).await? {
            match self.inner.find_day(id).await {
                Ok(Some(key)) => keys.push((key.id().to_string(), key.export()?)),
                // Destroyed since it was listed.
                Ok(None) | Err(KeyError::Destroyed(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    }
}
