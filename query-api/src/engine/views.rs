//! The views that are loaded: each once, dropped by least use over the budget.
use super::{context::Context, fault::Fault, slot::SlotTail, view::View};
use parking_lot::Mutex;
use schemas::{ids::WorkspaceId, log::Slot};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::OnceCell;

#[derive(Default)]
struct Cell {
    view: OnceCell<Arc<View>>,
    used: AtomicU64,
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Views {
    cells: Mutex<HashMap<WorkspaceId, Arc<Cell>>>,
    uses: AtomicU64,
}

impl Views {
    /// A workspace's view, loaded at first use; who comes meanwhile waits for the same one.
    pub async fn get(
        &self,
        context: &Context,
        slot: &Arc<SlotTail>,
        workspace: WorkspaceId,
    ) -> Result<Arc<View>, Fault> {
        let cell = self.cells.lock().entry(workspace).or_default().clone();
        cell.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let fresh = !cell.view.initialized();
        let view = cell.view.get_or_try_init(|| View::load(context, slot, workspace)).await?.clone();
        if fresh {
            self.shrink(context);
        }
        Ok(view)
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
