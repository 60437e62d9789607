//! A view from nothing: derived states, what the files hold beyond them, amendments. The tail is folded after, as ever.
use super::{Folding, Listeners, Pinned, View, ViewState, base, fold::fold_rows, keep_up, tail::TailIndex};
use crate::engine::{
    context::Context,
    fault::Fault,
    inbox::base::Part,
    retention::{CutDays, DayAtCut, at_cut},
    slot::SlotTail,
};
use arrow::record_batch::RecordBatch;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::{Mutex, RwLock};
use schemas::{
    amendment::Amendments,
    columns::read_events_to_fold,
    conversation::ConversationState,
    event::Event,
    ids::{ConversationId, WorkspaceId},
    log::Offset,
    partition::{PartitionDay, Table},
    time::Millis,
};
use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;
use warehouse::{catalog::DataFile, duplicates::Seen, file::ScanFilter};

/// About how many rows of the files are folded by one task: bounds the memory, as states are kept decoded meanwhile.
const RANGE_ROWS: u64 = 200_000;

/// Tells views apart.
static SERIAL: AtomicU64 = AtomicU64::new(0);

impl View {
    /// Loads a workspace from the slot's newest snapshot and folds its tail.
    pub async fn load(context: &Context, slot: &Arc<SlotTail>, workspace: WorkspaceId) -> Result<Arc<Self>, Fault> {
        let (snapshot, known, pin) = slot.pin();
        let files = context.catalog.files(workspace, snapshot).await?;
        let claimed = known.claimed.contains(&workspace);
        let pinned = Arc::new(Pinned { snapshot, files, claimed, _pin: pin });
        let derived = known.derived.get(&workspace).copied().unwrap_or_default();
        let (_, cut) = context.now_and_cut(workspace);
        let loaded = base::load(context, workspace, &pinned, derived, cut).await?;
        let amendments = amendments(context, workspace, &pinned, cut).await?;
        let state = ViewState {
            pinned: pinned.clone(),
            inbox: loaded.inbox,
            amendments,
            cut_days: CutDays::default(),
            tail: TailIndex::default(),
        };
        let view = Arc::new(Self {
            context: context.clone(),
            workspace,
            slot: slot.clone(),
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            state: RwLock::new(state),
            listeners: Mutex::new(Listeners::default()),
            folding: Arc::new(tokio::sync::Mutex::new(Folding { seen: Seen::default(), merging: false })),
            seen: AtomicUsize::new(0),
            next: AtomicU64::new(snapshot.next.0),
            live: AtomicBool::new(false),
            wake: Arc::new(Notify::new()),
        });
        view.refold_loaded(&loaded.stale).await?;
        view.fold_files(&pinned, derived, loaded.newer, cut).await?;
        slot.watch(workspace, &view.wake);
        view.catch_up().await?;
        view.live.store(true, Ordering::Relaxed);
        tokio::spawn(keep_up(Arc::downgrade(&view), view.wake.clone()));
        Ok(view)
    }

    async fn refold_loaded(&self, stale: &[ConversationId]) -> Result<(), Fault> {
        let mut states: HashMap<ConversationId, ConversationState> = HashMap::new();
        for id in stale {
            if let Some(state) = self.state.read().inbox.state(*id)? {
                states.insert(*id, state);
            }
        }
        self.refold_stale(&mut states, &[]).await?;
        self.put_all(states);
        Ok(())
    }

    /// Folds the rows of files that the derived states do not hold.
    async fn fold_files(
        self: &Arc<Self>,
        pinned: &Pinned,
        derived: Offset,
        newer: HashMap<ConversationId, Offset>,
        cut: Millis,
    ) -> Result<(), Fault> {
        let mut days: BTreeMap<PartitionDay, Vec<DataFile>> = BTreeMap::new();
        let mut rows = 0;
        let wanted = |f: &&DataFile| f.table == Table::Events && f.max_offset >= derived;
        for file in pinned.files.iter().filter(wanted).filter(|f| at_cut(f.day, cut) != DayAtCut::Gone) {
            rows += file.rows;
            days.entry(file.day).or_default().push(file.clone());
        }
        let history = Arc::new(History { days, derived, newer });
        let ranges = ranges(rows);
        let fold = |range: RangeInclusive<ConversationId>| {
            let (view, history) = (self.clone(), history.clone());
            // Spawned, so that ranges are folded on different processors.
            let folded = tokio::spawn(async move { view.fold_range(&history, &range).await });
            async { folded.await.map_err(|_| Fault::stopping())? }
        };
        let mut folded = stream::iter(ranges).map(fold).buffer_unordered(base::processors());
        let mut parts = Vec::new();
        while let Some((part, amendments)) = folded.try_next().await? {
            parts.push(part);
            let mut state = self.state.write();
            for event in &amendments {
                state.amendments.add(event);
            }
        }
        if parts.iter().all(|part| part.rows.is_empty()) {
            return Ok(());
        }
        // Nobody else has the view yet.
        let inbox = std::mem::take(&mut self.state.write().inbox);
        let inbox = base::blocking(move || Ok(inbox.take_in(parts)?)).await?;
        self.state.write().inbox = inbox;
        Ok(())
    }

    /// Folds what the files hold of some conversations, day by day and in order, so that few events come late. Returns
    /// their states, and the amendments among the events.
    async fn fold_range(
        &self,
        history: &Arc<History>,
        conversations: &RangeInclusive<ConversationId>,
    ) -> Result<(Part, Vec<Event>), Fault> {
        let mut states: HashMap<ConversationId, ConversationState> = HashMap::new();
        let mut amendments = Vec::new();
        for files in history.days.values() {
            let known = history.clone();
            let read = move |batch: &RecordBatch| read_events_to_fold(batch, |id| known.from(id));
            let mut slices = self.context.slices(self.workspace, files.clone(), conversations, read);
            let mut rows = Vec::new();
            while let Some(read) = slices.next().await? {
                rows.extend(read);
            }
            // Also those that are folded into their messages' rows: the derived states may be older than that.
            amendments.extend(rows.iter().map(|row| &row.event).filter(|event| event.amends.is_some()).cloned());
            rows.sort_unstable_by_key(|row| (row.event.conversation, row.event.order_key()));
            self.add_states_of(&mut states, &rows)?;
            fold_rows(&mut states, &rows);
        }
        // The events themselves are in the files.
        self.refold_stale(&mut states, &[]).await?;
        let part = base::blocking(move || Ok(Part::of(states.values())?)).await?;
        Ok((part, amendments))
    }

    fn put_all(&self, states: HashMap<ConversationId, ConversationState>) {
        let mut state = self.state.write();
        for state_of_one in states.into_values() {
            state.inbox.put(state_of_one);
        }
    }
}

/// What is to be folded of the files.
struct History {
    days: BTreeMap<PartitionDay, Vec<DataFile>>,
    derived: Offset,
    newer: HashMap<ConversationId, Offset>,
}

impl History {
    /// The first offset that a conversation's derived state does not hold.
    fn from(&self, id: ConversationId) -> Offset {
        self.newer.get(&id).map_or(self.derived, |at| self.derived.max(*at))
    }
}

/// All conversations in so many ranges that each holds about [`RANGE_ROWS`] of the rows: ids are keyed hashes, so that
/// they spread evenly.
fn ranges(rows: u64) -> Vec<RangeInclusive<ConversationId>> {
    let parts = u128::from(rows.div_ceil(RANGE_ROWS));
    let start = |part: u128| if part == parts { u128::MAX } else { u128::MAX / parts * part };
    let id = |n: u128| ConversationId(n.to_be_bytes());
    (0..parts).map(|part| id(start(part))..=id(start(part + 1) - u128::from(part + 1 < parts))).collect()
}

/// The amendments that are not folded into their messages' rows.
async fn amendments(
    context: &Context,
    workspace: WorkspaceId,
    pinned: &Pinned,
    cut: Millis,
) -> Result<Amendments, Fault> {
    let wanted = |f: &&DataFile| f.table == Table::Events && f.amendments > 0 && at_cut(f.day, cut) != DayAtCut::Gone;
    let files: Vec<DataFile> = pinned.files.iter().filter(wanted).cloned().collect();
    let filter = ScanFilter { amendments: true, ..ScanFilter::default() };
    let mut amendments = Amendments::default();
    for row in context.rows(workspace, &files, &filter).await?.iter().filter(|row| !row.folded) {
        amendments.add(&row.event);
    }
    Ok(amendments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_hold_each_conversation_once(rows in 0u64..5_000_000, id: [u8; 16]) {
            let ranges = ranges(rows);
            prop_assert_eq!(ranges.len() as u64, rows.div_ceil(RANGE_ROWS));
            for id in [id, [0; 16], [0xff; 16]] {
                let holding = ranges.iter().filter(|range| range.contains(&ConversationId(id))).count();
                prop_assert_eq!(holding, usize::from(rows > 0));
            }
        }
    }
}
