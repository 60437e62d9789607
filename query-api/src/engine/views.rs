//! The views that are loaded: each once, dropped by least use over the budget.
use super::{context::Context, fault::Fault, slot::SlotTail, view::View};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use schemas::{ids::WorkspaceId, log::Slot};
use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Semaphore;

/// Workspaces that are loaded at once: each takes memory for all that it reads.
const LOADS: usize = 2;

/// A load that is under way, for all who wait for it.
type Load = Shared<BoxFuture<'static, Result<Arc<View>, Fault>>>;

#[derive(Default)]
struct Cell {
    view: OnceLock<Arc<View>>,
    load: Mutex<Option<Load>>,
    used: AtomicU64,
}

/// Clears the way for another try when a load ends, however it does.
struct Loading(Arc<Cell>);

impl Drop for Loading {
    fn drop(&mut self) {
        drop(self.0.load.lock().take());
    }
}

/// See the module's documentation.
pub(super) struct Views {
    cells: Mutex<HashMap<WorkspaceId, Arc<Cell>>>,
    uses: AtomicU64,
    loads: Arc<Semaphore>,
}

impl Default for Views {
    fn default() -> Self {
        Self { cells: Mutex::default(), uses: AtomicU64::default(), loads: Arc::new(Semaphore::new(LOADS)) }
    }
}

impl Views {
    /// A workspace's view, loaded at first use; who comes meanwhile waits for the same one. A load goes on when nobody
    /// waits any more, so that a workspace which takes longer than its callers' patience is there in the end.
    pub async fn get(
        &self,
        context: &Context,
        slot: &Arc<SlotTail>,
        workspace: WorkspaceId,
    ) -> Result<Arc<View>, Fault> {
        let cell = self.cells.lock().entry(workspace).or_default().clone();
        cell.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let load = {
            let mut load = cell.load.lock();
            // Looked at under the lock: a load that ends puts its view here first.
            if let Some(view) = cell.view.get() {
                return Ok(view.clone());
            }
            load.get_or_insert_with(|| self.load(&cell, context, slot, workspace)).clone()
        };
        let view = load.await?;
        self.shrink(context);
        Ok(view)
    }

    fn load(&self, cell: &Arc<Cell>, context: &Context, slot: &Arc<SlotTail>, workspace: WorkspaceId) -> Load {
        let (loading, loads) = (Loading(cell.clone()), self.loads.clone());
        let (context, slot) = (context.clone(), slot.clone());
        let load = async move {
            let _permit = loads.acquire().await.map_err(|_| Fault::stopping())?;
            let view = View::load(&context, &slot, workspace).await?;
            Ok(loading.0.view.get_or_init(|| view).clone())
        };
        // Spawned when it is first waited for, which is not under the lock: a runtime that stops drops it at once.
        async move { tokio::spawn(load).await.unwrap_or_else(|_| Err(Fault::stopping())) }.boxed().shared()
    }

    /// Every view that is loaded.
    pub fn loaded(&self) -> Vec<Arc<View>> {
        self.cells.lock().values().filter_map(|cell| cell.view.get().cloned()).collect()
    }

    /// Lets go of a view, if it still is the workspace's; its subscribers are told.
    pub fn forget(&self, view: &Arc<View>) {
        let mut cells = self.cells.lock();
        if cells.get(&view.workspace).and_then(|cell| cell.view.get()).is_some_and(|held| Arc::ptr_eq(held, view)) {
            cells.remove(&view.workspace);
        }
        drop(cells);
        view.close();
    }

    /// Lets go of a workspace's view.
    pub fn forget_workspace(&self, workspace: WorkspaceId) {
        let view = self.cells.lock().get(&workspace).and_then(|cell| cell.view.get().cloned());
        if let Some(view) = view {
            self.forget(&view);
        }
    }

    /// Lets go of all views of a slot.
    pub fn forget_slot(&self, slot: Slot) {
        for view in self.loaded().iter().filter(|view| view.slot.id == slot) {
            self.forget(view);
        }
    }

    /// Drops the least used views until the rest fits the budget. The last used one stays, and those that somebody
    /// listens to.
    pub fn shrink(&self, context: &Context) {
        let mut views: Vec<(u64, Arc<View>)> = {
            let cells = self.cells.lock();
            let loaded = |cell: &Arc<Cell>| Some((cell.used.load(Ordering::Relaxed), cell.view.get()?.clone()));
            cells.values().filter_map(loaded).collect()
        };
        views.sort_unstable_by_key(|(used, _)| std::cmp::Reverse(*used));
        let (mut bytes, mut kept) = (0, 0);
        for (at, (_, view)) in views.iter().enumerate() {
            let memory = view.memory();
            if at > 0 && bytes + memory > context.settings.index_bytes && !view.has_subscribers() {
                self.forget(view);
            } else {
                bytes += memory;
                kept += 1;
            }
        }
        context.metrics.views.set(kept);
        context.metrics.index_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
