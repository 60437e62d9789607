//! How many live streams a workspace may have open.
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use schemas::ids::WorkspaceId;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

type Open = Arc<Mutex<HashMap<WorkspaceId, usize>>>;

pub(super) struct StreamSlots {
    most: usize,
    open: Open,
}

/// One stream's place; free again when it is dropped.
pub(super) struct StreamSlot {
    workspace: WorkspaceId,
    open: Open,
    gauge: Gauge,
}

impl StreamSlots {
    pub(super) fn new(most: usize) -> Self {
        Self { most, open: Open::default() }
    }

    pub(super) fn take(&self, workspace: WorkspaceId, gauge: &Gauge) -> Option<StreamSlot> {
        let mut open = self.open.lock();
        let count = open.get(&workspace).copied().unwrap_or(0);
        if count >= self.most {
            return None;
        }
        open.insert(workspace, count + 1);
        gauge.inc();
        Some(StreamSlot { workspace, open: self.open.clone(), gauge: gauge.clone() })
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.gauge.dec();
        if let Entry::Occupied(mut count) = self.open.lock().entry(self.workspace) {
            match count.get() {
                0 | 1 => drop(count.remove()),
                many => *count.get_mut() = many - 1,
            }
        }
    }
}
