//! What is held of one workspace in use: its inbox, its amendments, and which records of the tail are its events.
mod base;
mod cut;
mod fold;
mod listeners;
mod load;
mod refold;
mod rows;
mod tail;

pub(super) use listeners::{Heard, Listener};
pub(super) use rows::Direction;

use super::{
    context::Context,
    fault::Fault,
    inbox::Inbox,
    retention::CutDays,
    slot::{Pin, SlotTail},
    types::QueryError,
};
use listeners::Listeners;
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
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
use tail::{TailAuthors, TailIndex};
use tokio::sync::Notify;
use warehouse::{
    catalog::{DataFile, Snapshot},
    duplicates::{Fronts, Seen},
};

/// About what the duplicate check takes for an id.
const SEEN_BYTES: usize = 128;

/// A snapshot with its files; the log from its end on stays as long as somebody holds this.
pub(super) struct Pinned {
    /// Which state of the slot.
    pub snapshot: Snapshot,
    /// All files of the workspace in it.
    pub files: Vec<DataFile>,
    /// Events of the workspace before its end have claimed ids.
    pub claimed: bool,
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
    listeners: Mutex<Listeners>,
    folding: Arc<tokio::sync::Mutex<Folding>>,
    /// Ids that the duplicate check remembers.
    seen: AtomicUsize,
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
    pub async fn subscribe(&self) -> Option<(Listener, Position)> {
        // Nobody folds meanwhile, so that nothing is told twice or not at all.
        let _folding = self.folding.lock().await;
        Some((self.listeners.lock().subscribe()?, self.position(self.next())))
    }

    /// True when somebody listens for changes.
    pub fn has_subscribers(&self) -> bool {
        self.listeners.lock().any()
    }

    /// Tells subscribers that nothing more comes from here.
    pub fn close(&self) {
        self.listeners.lock().close();
    }

    /// The first `most` events of the tail from an offset on, with the snapshot that the tail follows and what
    /// [`Self::open`] needs.
    pub fn tail_from(&self, from: Offset, most: usize) -> (Arc<Pinned>, Vec<Offset>, TailAuthors) {
        let state = self.state.read();
        let offsets = state.tail.from(from).take(most).map(|(offset, _)| offset).collect();
        (state.pinned.clone(), offsets, state.tail.authors())
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        let state = self.state.read();
        let seen = self.seen.load(Ordering::Relaxed) * SEEN_BYTES;
        state.inbox.memory() + state.tail.memory() + state.amendments.len() * 256 + state.cut_days.memory() + seen
    }

    /// The events at these offsets of the tail, as they came, but for copies that became `authors`; both were taken at
    /// once.
    pub async fn open(&self, offsets: &[Offset], authors: &TailAuthors) -> Result<Vec<EventRow>, Fault> {
        let mut rows = Vec::with_capacity(offsets.len());
        for (offset, record) in self.slot.fetch(offsets).await? {
            if let Some(row) = authors.get(&offset) {
                rows.push(row.clone());
            } else if let Payload::Event(event) = records::open(&self.context.keyring, &record).await? {
                rows.push(EventRow::new(offset, event));
            }
        }
        Ok(rows)
    }

    /// Takes a newer snapshot: its files in the place of the records that they hold.
    pub async fn advance(self: &Arc<Self>) -> Result<(), Fault> {
        let (snapshot, known, pin) = self.slot.pin();
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
        self.remember(&files).await;
        let claimed = known.claimed.contains(&self.workspace);
        let pinned = Arc::new(Pinned { snapshot, files, claimed, _pin: pin });
        // Nobody folds meanwhile: the tail stays as it is. Questions must not wait for this.
        folding.seen = self.state.read().tail.seen_from(snapshot.next);
        self.seen.store(folding.seen.len(), Ordering::Relaxed);
        let old = {
            let mut state = self.state.write();
            state.tail.drop_below(snapshot.next);
            std::mem::replace(&mut state.pinned, pinned)
        };
        // Outside the lock: it may be the last that needs a part of the log.
        drop(old);
        Ok(())
    }

    /// Says of the files that hold what is in the tail which ids those are. What comes next is near them in time: they would
    /// have to be read before it is seen, and while the store does not answer nothing would be seen at all.
    async fn remember(&self, files: &[DataFile]) {
        let duplicates = &self.context.duplicates;
        let known = {
            let state = self.state.read();
            let from = state.pinned.snapshot.next;
            // What this process wrote it was told of already.
            let new = |f: &&DataFile| f.table == Table::Events && f.min_offset >= from && !duplicates.remembers(f.id);
            state.tail.ids_of(&files.iter().filter(new).collect::<Vec<_>>())
        };
        for (file, ids) in known {
            duplicates.remember(file, Fronts::of(ids.into_iter())).await;
        }
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
