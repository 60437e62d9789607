//! What is held of one workspace in use: its inbox, its amendments, and which records of the tail are its events.
mod base;
mod cut;
mod fold;
mod load;
mod refold;
mod rows;
mod tail;

pub(super) use rows::Direction;

use super::{
    context::Context,
    fault::Fault,
    inbox::Inbox,
    retention::CutDays,
    slot::{Pin, SlotTail},
    types::{Change, QueryError},
};
use parking_lot::{Mutex, RwLock};
use records::Position;
use schemas::{
    amendment::Amendments,
    columns::EventRow,
    ids::WorkspaceId,
    log::Offset,
    partition::{PartitionDay, Table},
    time::Millis,
    wire::Payload,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tail::TailIndex;
use tokio::sync::{Notify, broadcast};
use warehouse::{
    catalog::{DataFile, Snapshot},
    duplicates::Seen,
};

/// Changes that a subscriber may be behind before it is told to begin again.
const CHANGES: usize = 1024;

/// A snapshot with its files; the log from its end on stays as long as somebody holds this.
pub(super) struct Pinned {
    /// Which state of the slot.
    pub snapshot: Snapshot,
    /// All files of the workspace in it.
    pub files: Vec<DataFile>,
    _pin: Pin,
}

impl Pinned {
    /// The files of table `events` of some days.
    pub fn events_of(&self, day: impl Fn(PartitionDay) -> bool) -> Vec<DataFile> {
        self.files.iter().filter(|f| f.table == Table::Events && day(f.day)).cloned().collect()
    }
}

/// What answers are made of; behind a lock that is never held across an await.
pub(super) struct ViewState {
    /// Files, and where the tail begins.
    pub pinned: Arc<Pinned>,
    /// Conversations, all events below [`View::next`] folded in.
    pub inbox: Inbox,
    /// Amendments that are not folded into files yet, and some that are: applying again changes nothing.
    pub amendments: Amendments,
    /// The days that a cut has gone through.
    pub cut_days: CutDays,
    tail: TailIndex,
}

/// What only the folding side uses, one at a time.
struct Folding {
    seen: Seen,
    merging: bool,
}

/// See the module's documentation.
pub(super) struct View {
    pub context: Context,
    pub workspace: WorkspaceId,
    pub slot: Arc<SlotTail>,
    pub state: RwLock<ViewState>,
    /// Tells views of the same workspace apart.
    pub serial: u64,
    changes: Mutex<Option<broadcast::Sender<(Position, Change)>>>,
    folding: tokio::sync::Mutex<Folding>,
    next: AtomicU64,
    /// True once the tail was folded for the first time.
    live: AtomicBool,
    wake: Arc<Notify>,
}

impl Drop for View {
    /// Lets the task that folds for it end.
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

impl View {
    /// The first offset that is not folded in.
    pub fn next(&self) -> Offset {
        Offset(self.next.load(Ordering::Acquire))
    }

    /// The snapshot that it stands on.
    pub fn snapshot(&self) -> Snapshot {
        self.state.read().pinned.snapshot
    }

    /// A place in the workspace's slot.
    pub fn position(&self, next: Offset) -> Position {
        Position { epoch: self.context.log.epoch(), slot: self.slot.id, next }
    }

    /// Now, and the instant before which nothing is in any answer.
    pub fn now_and_cut(&self) -> (Millis, Millis) {
        self.context.now_and_cut(self.workspace)
    }

    /// Subscribes; with the place after which changes are told. `None` once the view was closed.
    pub async fn subscribe(&self) -> Option<(broadcast::Receiver<(Position, Change)>, Position)> {
        // Nobody folds meanwhile, so that nothing is told twice or not at all.
        let _folding = self.folding.lock().await;
        Some((self.changes.lock().as_ref()?.subscribe(), self.position(self.next())))
    }

    /// True when somebody listens for changes.
    pub fn has_subscribers(&self) -> bool {
        self.changes.lock().as_ref().is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Tells subscribers that nothing more comes from here.
    pub fn close(&self) {
        drop(self.changes.lock().take());
    }

    fn publish(&self, change: (Position, Change)) {
        if let Some(sender) = &*self.changes.lock() {
            // An error means that the last subscriber has just left.
            let _ = sender.send(change);
        }
    }

    /// The first `most` events of the tail from an offset on, with the snapshot that the tail follows.
    pub fn tail_from(&self, from: Offset, most: usize) -> (Arc<Pinned>, Vec<Offset>) {
        let state = self.state.read();
        (state.pinned.clone(), state.tail.from(from).take(most).map(|(offset, _)| offset).collect())
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        let state = self.state.read();
        state.inbox.memory() + state.tail.memory() + state.amendments.len() * 256
    }

    /// The events at these offsets of the tail, as they came.
    pub async fn open(&self, offsets: &[Offset]) -> Result<Vec<EventRow>, Fault> {
        let mut rows = Vec::with_capacity(offsets.len());
        for (offset, record) in self.slot.fetch(offsets).await? {
            if let Payload::Event(event) = records::open(&self.context.keyring, &record).await? {
                rows.push(EventRow::new(offset, event));
            }
        }
        Ok(rows)
    }

    /// Takes a newer snapshot: its files in the place of the records that they hold.
    pub async fn advance(self: &Arc<Self>) -> Result<(), Fault> {
        let (snapshot, _, pin) = self.slot.pin();
        if snapshot.number <= self.state.read().pinned.snapshot.number {
            return Ok(());
        }
        // What the new files hold is folded first: folding reads the tail, which loses it.
        self.slot.reached(snapshot.next).await;
        self.catch_up().await?;
        let mut folding = self.folding.lock().await;
        if snapshot.number <= self.state.read().pinned.snapshot.number {
            return Ok(());
        }
        let files = self.context.catalog.files(self.workspace, snapshot).await?;
        let pinned = Arc::new(Pinned { snapshot, files, _pin: pin });
        let old = {
            let mut state = self.state.write();
            state.tail.drop_below(snapshot.next);
            folding.seen = state.tail.seen();
            std::mem::replace(&mut state.pinned, pinned)
        };
        // Outside the lock: it may be the last that needs a part of the log.
        drop(old);
        Ok(())
    }
}

/// Folds what comes, until the view is dropped.
pub(super) async fn keep_up(view: std::sync::Weak<View>, wake: Arc<Notify>) {
    loop {
        wake.notified().await;
        let Some(view) = view.upgrade() else { return };
        match view.catch_up().await {
            Ok(()) => {}
            Err(Fault::Query(QueryError::KeyDestroyed)) => return,
            Err(fault) => {
                tracing::warn!(workspace = %view.workspace, ?fault, "records of the tail cannot be folded now");
                drop(view);
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                wake.notify_one();
            }
        }
    }
}
