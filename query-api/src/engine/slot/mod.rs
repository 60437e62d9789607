//! One slot: its newest snapshot, the tail after it, and who still needs what of the log.
mod follow;
mod read;
mod tail;

pub(super) use follow::follow;

use event_log::SharedLog;
use parking_lot::{Mutex, RwLock};
use schemas::{
    ids::WorkspaceId,
    log::{Offset, Slot},
    record::SealedRecord,
    time::Millis,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};
use tail::Tail;
use tokio::sync::{Notify, watch};
use warehouse::catalog::Snapshot;

/// Bytes of one read of the log.
const READ_BYTES: usize = 1 << 20;

/// What is known of a slot's workspaces beside a snapshot.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Up to where the derived tables of each are folded, read before the snapshot: it holds at least that.
    pub derived: HashMap<WorkspaceId, Offset>,
    /// Those that have claimed ids, read after the snapshot: at least those that have some from before its end.
    pub claimed: HashSet<WorkspaceId>,
}

/// See the module's documentation.
pub(super) struct SlotTail {
    pub id: Slot,
    log: SharedLog,
    inner: RwLock<Inner>,
    end: watch::Sender<Offset>,
    /// Woken when records of a workspace came; only workspaces that are in use are here.
    wakers: Mutex<HashMap<WorkspaceId, Weak<Notify>>>,
    at_end: AtomicBool,
    caught_up_at: AtomicI64,
    lag: AtomicU64,
    /// One newer snapshot is taken at a time.
    pub advancing: tokio::sync::Mutex<()>,
}

struct Inner {
    snapshot: Snapshot,
    known: Arc<Known>,
    tail: Tail,
    pins: BTreeMap<Offset, usize>,
}

/// A right to the log from an offset on. The records stay until it is dropped.
pub(super) struct Pin {
    slot: Arc<SlotTail>,
    at: Offset,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut inner = self.slot.inner.write();
        if let Some(count) = inner.pins.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                inner.pins.remove(&self.at);
                inner.trim();
            }
        }
    }
}

impl Inner {
    fn needed(&self) -> Offset {
        // What the follower has not read is needed too, also where a newer snapshot holds it.
        let next = self.snapshot.next.min(self.tail.end());
        self.pins.keys().next().map_or(next, |pinned| next.min(*pinned))
    }

    fn trim(&mut self) {
        let below = self.needed();
        if below > self.tail.start() {
            self.tail.drop_below(below);
        }
    }
}

impl SlotTail {
    /// A slot at a snapshot, with nothing of its tail read yet.
    pub fn new(log: SharedLog, snapshot: Snapshot, known: Known, budget: usize, now: Millis) -> Self {
        let tail = Tail::new(snapshot.next, budget);
        Self {
            id: snapshot.slot,
            log,
            inner: RwLock::new(Inner { snapshot, known: Arc::new(known), tail, pins: BTreeMap::new() }),
            end: watch::Sender::new(snapshot.next),
            wakers: Mutex::default(),
            at_end: AtomicBool::new(false),
            caught_up_at: AtomicI64::new(now.0),
            lag: AtomicU64::new(0),
            advancing: tokio::sync::Mutex::default(),
        }
    }

    /// The newest snapshot with what is known beside it, pinned.
    pub fn pin(self: &Arc<Self>) -> (Snapshot, Arc<Known>, Pin) {
        let mut inner = self.inner.write();
        let snapshot = inner.snapshot;
        *inner.pins.entry(snapshot.next).or_default() += 1;
        (snapshot, inner.known.clone(), Pin { slot: self.clone(), at: snapshot.next })
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Snapshot {
        self.inner.read().snapshot
    }

    /// Takes a newer snapshot; true when it is newer.
    pub fn advance(&self, snapshot: Snapshot, known: Known) -> bool {
        let mut inner = self.inner.write();
        if snapshot.number <= inner.snapshot.number {
            return false;
        }
        inner.snapshot = snapshot;
        inner.known = Arc::new(known);
        inner.trim();
        true
    }

    /// Begins anew at a snapshot, where the log no longer holds what was to be read next. Views do not survive it.
    pub fn restart(&self, snapshot: Snapshot, known: Known, budget: usize) {
        let mut inner = self.inner.write();
        (inner.snapshot, inner.known) = (snapshot, Arc::new(known));
        inner.tail = Tail::new(snapshot.next, budget);
        drop(inner);
        self.end.send_replace(snapshot.next);
    }

    /// The first offset that was not read yet.
    pub fn end(&self) -> Offset {
        *self.end.borrow()
    }

    /// Completes once everything below an offset was read.
    pub async fn reached(&self, next: Offset) {
        // The sender lives as long as `self`.
        let _ = self.end.subscribe().wait_for(|end| *end >= next).await;
    }

    /// The smallest offset that is still needed from the log.
    pub fn needed(&self) -> Offset {
        self.inner.read().needed()
    }

    /// Registers whom to wake when records of a workspace come.
    pub fn watch(&self, workspace: WorkspaceId, wake: &Arc<Notify>) {
        let mut wakers = self.wakers.lock();
        wakers.retain(|_, held| held.strong_count() > 0);
        wakers.insert(workspace, Arc::downgrade(wake));
    }

    /// Records, bytes in memory, and records that were not read yet.
    pub fn stats(&self) -> (u64, u64, u64) {
        let (rows, bytes) = self.inner.read().tail.size();
        (rows, bytes, self.lag.load(Ordering::Relaxed))
    }

    /// Asks the log how far it is.
    pub async fn measure_lag(&self) {
        if let Ok(end) = self.log.end(self.id).await {
            self.lag.store(end.0.saturating_sub(self.end().0), Ordering::Relaxed);
        }
    }

    /// The instant up to which the log has been read.
    pub fn complete_through(&self, now: Millis) -> Millis {
        let held = Millis(self.caught_up_at.load(Ordering::SeqCst));
        if self.at_end.load(Ordering::SeqCst) { now } else { held }
    }

    fn push(&self, records: Vec<(Offset, SealedRecord)>, next: Offset) {
        let touched = {
            let mut inner = self.inner.write();
            let touched = inner.tail.push(records, next);
            // Where a snapshot was taken before the records that it holds had been read, they go now.
            inner.trim();
            touched
        };
        self.end.send_replace(next);
        if touched.is_empty() {
            return;
        }
        let wakers = self.wakers.lock();
        for workspace in touched {
            if let Some(wake) = wakers.get(&workspace).and_then(Weak::upgrade) {
                wake.notify_one();
            }
        }
    }
}
