//! The registry in the catalog's database.
//!
//! Every write takes the next number of one counter and leaves it in the rows it changed. A refresh compares the
//! counter with the last one it saw, which costs one small read, and loads only rows with later numbers. Rows are never
//! deleted, so nothing can change unseen.
mod api_keys;
mod connections;
mod load;
mod open;
mod workspaces;
mod write;

use super::{ApiKey, RegistryError, RegistryOptions, View, Workspace, api_key};
use crate::catalog::Catalog;
use parking_lot::RwLock;
use schemas::{clock::random, ids::WorkspaceId};
use std::{future::Future, pin::pin, sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;

/// How often a change of another process is looked for: well within the second in which it has to act.
const INTERVAL: Duration = Duration::from_millis(400);

/// Who exists. Cheap to clone; clones share one view.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    options: RegistryOptions,
    view: RwLock<Arc<View>>,
    /// The counter up to which `view` is loaded. Its lock lets one refresh run at a time.
    loaded: tokio::sync::Mutex<i64>,
}

impl Registry {
    /// Opens the registry and loads it. At first, the workspace `system` and its keys are made.
    ///
    /// # Errors
    /// [`RegistryError::Catalog`] and [`RegistryError::Key`].
    pub async fn open(options: RegistryOptions) -> Result<Self, RegistryError> {
        let inner = Inner { options, view: RwLock::default(), loaded: tokio::sync::Mutex::new(0) };
        let registry = Self { inner: Arc::new(inner) };
        registry.make_system().await?;
        registry.refresh().await?;
        Ok(registry)
    }

    /// Everything, as of the last refresh. No I/O.
    pub fn view(&self) -> Arc<View> {
        self.inner.view.read().clone()
    }

    /// Loads what changed, in this process or another; false when nothing did. On an error the view stays as it was.
    ///
    /// # Errors
    /// [`RegistryError::Catalog`], and [`RegistryError::Key`] when the keys are out of reach. A key that is destroyed or
    /// does not verify is no error: it makes its own workspace nameless and inactive.
    pub async fn refresh(&self) -> Result<bool, RegistryError> {
        let mut loaded = self.inner.loaded.lock().await;
        let Some(changes) = load::changes(&self.inner.options, *loaded).await? else { return Ok(false) };
        // No await from here on: a refresh that is given up midway has changed nothing.
        let next = changes.apply_to(&self.view());
        *self.inner.view.write() = Arc::new(next);
        *loaded = changes.version;
        Ok(true)
    }

    /// Refreshes again and again, until `stop` completes.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            let refreshed = tokio::select! {
                biased;
                () = &mut stop => return,
                refreshed = async { ticks.tick().await; self.refresh().await } => refreshed,
            };
            // Said once, not every interval.
            match &refreshed {
                Ok(_) if failing => tracing::info!("the registry is refreshed again"),
                Err(error) if !failing => tracing::warn!(%error, "the registry is not refreshed; the last view stays"),
                _ => {}
            }
            failing = refreshed.is_err();
        }
    }

    /// True when a text has an API key's form and checksum. No look-up.
    pub fn key_looks_valid(key: &str) -> bool {
        api_key::looks_valid(key)
    }

    /// The active API key with this text. Its workspace may be inactive.
    pub fn find_key(&self, key: &str) -> Option<Arc<ApiKey>> {
        self.inner.view.read().api_keys.get(&api_key::hash(key)).cloned()
    }

    /// Answers when the database does; for readiness.
    ///
    /// # Errors
    /// [`RegistryError::Catalog`].
    pub async fn ping(&self) -> Result<(), RegistryError> {
        Ok(self.inner.options.catalog.ping().await?)
    }

    fn options(&self) -> &RegistryOptions {
        &self.inner.options
    }

    fn random_id(&self) -> Result<[u8; 16], RegistryError> {
        Ok(random(&*self.options().entropy).map_err(keys::KeyError::from)?)
    }

    /// The workspace, if it may be given new things. One that another process has just made is looked for.
    async fn active_workspace(&self, id: WorkspaceId) -> Result<Arc<Workspace>, RegistryError> {
        let mut found = self.view().workspaces.get(&id).cloned();
        if found.is_none() {
            // Whether this very refresh brought it, or one beside it, is the same.
            self.refresh().await?;
            found = self.view().workspaces.get(&id).cloned();
        }
        let workspace = found.ok_or(RegistryError::NotFound("workspace"))?;
        if workspace.active {
            Ok(workspace)
        } else {
            Err(RegistryError::Refused("the workspace is being deleted".into()))
        }
    }
}
