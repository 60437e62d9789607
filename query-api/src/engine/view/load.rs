//! A view from nothing: derived states, what the files hold beyond them, amendments. The tail is folded after, as ever.
use super::{Folding, Listeners, Pinned, View, ViewState, base, fold::fold_rows, keep_up, tail::TailIndex};
use crate::engine::{
    context::Context,
    fault::Fault,
    retention::{CutDays, DayAtCut, at_cut},
    slot::SlotTail,
};
use parking_lot::{Mutex, RwLock};
use schemas::{
    amendment::Amendments,
    conversation::ConversationState,
    ids::{ConversationId, WorkspaceId},
    log::Offset,
    partition::{PartitionDay, Table},
    time::Millis,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;
use warehouse::{catalog::DataFile, duplicates::Seen, file::ScanFilter};

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
        view.fold_files(&pinned, derived, &loaded.newer, cut).await?;
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

    /// Folds the rows of files that the derived states do not hold, day by day and in order, so that few come late.
    async fn fold_files(
        &self,
        pinned: &Pinned,
        derived: Offset,
        newer: &HashMap<ConversationId, Offset>,
        cut: Millis,
    ) -> Result<(), Fault> {
        let mut days: BTreeMap<PartitionDay, Vec<DataFile>> = BTreeMap::new();
        let wanted = |f: &&DataFile| f.table == Table::Events && f.max_offset >= derived;
        for file in pinned.files.iter().filter(wanted).filter(|f| at_cut(f.day, cut) != DayAtCut::Gone) {
            days.entry(file.day).or_default().push(file.clone());
        }
        let filter = ScanFilter { from: Some(derived), ..ScanFilter::default() };
        for files in days.into_values() {
            let mut rows = self.context.rows(self.workspace, &files, &filter).await?;
            // Also those that are folded into their messages' rows: the derived states may be older than that.
            for row in rows.iter().filter(|row| row.event.amends.is_some()) {
                self.state.write().amendments.add(&row.event);
            }
            rows.retain(|row| {
                row.event.conversation.is_some_and(|id| newer.get(&id).is_none_or(|at| row.offset >= *at))
            });
            rows.sort_unstable_by_key(|row| row.event.order_key());
            let mut states = self.states_of(&rows)?;
            fold_rows(&mut states, &rows);
            // The events themselves are in the files.
            self.refold_stale(&mut states, &[]).await?;
            self.put_all(states);
            self.merge_now().await?;
        }
        Ok(())
    }

    fn put_all(&self, states: HashMap<ConversationId, ConversationState>) {
        let mut state = self.state.write();
        for state_of_one in states.into_values() {
            state.inbox.put(state_of_one);
        }
    }

    async fn merge_now(&self) -> Result<(), Fault> {
        let Some(merge) = self.state.read().inbox.begin_merge() else { return Ok(()) };
        let (base, merge) = base::blocking(move || Ok((merge.build()?, merge))).await?;
        let old = self.state.write().inbox.end_merge(&merge, base);
        // Much memory to give back; not under the lock.
        drop((old, merge));
        Ok(())
    }
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
