//! Brings the derived tables up to an offset, for the conversations that events touched. Behind is fine, wrong is not:
//! readers fold what lies above the derived offset themselves, with the same functions.
use crate::{Shared, TransformError, states};
use schemas::{
    columns::{ConversationColumns, EventRow},
    conversation::ConversationState,
    ids::{ConversationId, WorkspaceId},
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table, cut, day_is_expired},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};
use warehouse::{
    catalog::{DataFile, Lease, Replacement, Snapshot},
    file::{NewFile, ScanFilter},
};

/// How long a lease of a job holds unless it is taken again.
pub(crate) const LEASE: Duration = Duration::from_secs(600);
/// Workspaces whose states are committed together.
const TOGETHER: usize = 64;

/// Derives what was landed in a slot since the last time. Returns how many conversations were brought up.
pub(crate) async fn derive(shared: &Shared, slot: Slot) -> Result<usize, TransformError> {
    let now = shared.clock.now();
    let job = format!("derive/{slot}");
    let Some(lease) = shared.catalog.take_lease(&job, &shared.holder, now, now + LEASE).await? else {
        return Ok(0);
    };
    let snapshot = shared.catalog.snapshot(slot).await?;
    let derived: HashMap<WorkspaceId, Offset> = shared.catalog.derived(slot).await?.into_iter().collect();
    let mut touched: HashSet<WorkspaceId> = HashSet::new();
    for file in shared.catalog.live_files(slot).await? {
        let from = derived.get(&file.workspace).copied().unwrap_or_default();
        if file.table == Table::Events && file.max_offset >= from {
            touched.insert(file.workspace);
        }
    }
    let mut count = 0;
    let mut pending = Pending::default();
    for workspace in touched {
        let from = derived.get(&workspace).copied().unwrap_or_default();
        match derive_workspace(shared, snapshot, workspace, from).await {
            Ok((files, conversations)) => {
                count += conversations;
                pending.add.extend(files);
                pending.derived.push((workspace, snapshot.next));
            }
            // An expired day or a destroyed workspace under our hands: the next run sees the new state.
            Err(TransformError::Superseded(why)) => {
                tracing::info!(%workspace, why, "derive leaves a workspace for the next run");
            }
            Err(error) => return Err(error),
        }
        if pending.derived.len() >= TOGETHER {
            pending = commit(shared, &lease, slot, pending).await?;
        }
    }
    commit(shared, &lease, slot, pending).await?;
    Ok(count)
}

#[derive(Default)]
struct Pending {
    add: Vec<DataFile>,
    derived: Vec<(WorkspaceId, Offset)>,
}

async fn commit(shared: &Shared, lease: &Lease, slot: Slot, pending: Pending) -> Result<Pending, TransformError> {
    if pending.derived.is_empty() {
        return Ok(pending);
    }
    shared.faults.at("derive/after-write");
    shared.files.make_durable(&pending.add).await?;
    let replacement = Replacement {
        lease: lease.clone(),
        slot,
        remove: Vec::new(),
        add: pending.add,
        derived: pending.derived,
        at: shared.clock.now(),
    };
    shared.catalog.replace(replacement).await?;
    shared.faults.at("derive/after-commit");
    (shared.committed)(slot);
    Ok(Pending::default())
}

async fn derive_workspace(
    shared: &Shared,
    snapshot: Snapshot,
    workspace: WorkspaceId,
    from: Offset,
) -> Result<(Vec<DataFile>, usize), TransformError> {
    let now = shared.clock.now();
    let days = shared.retention_days(workspace);
    let cut = cut(now, RetentionClass::STANDARD, days);
    let files: Vec<DataFile> = shared
        .catalog
        .files(workspace, snapshot)
        .await?
        .into_iter()
        .filter(|f| !day_is_expired(f.day, now, f.class, days))
        .collect();
    let fresh: Vec<DataFile> =
        files.iter().filter(|f| f.table == Table::Events && f.max_offset >= from).cloned().collect();
    let filter = ScanFilter { from: Some(from), before: Some(snapshot.next), ..ScanFilter::default() };
    let mut rows = states::scan_rows(shared, workspace, &fresh, &filter).await?;
    rows.sort_unstable_by_key(|row| row.offset);
    let wanted: HashSet<ConversationId> = rows.iter().filter_map(|row| row.event.conversation).collect();
    let mut known = states::newest_states(shared, &files, Some(&wanted)).await?;
    let (amendments, _) = states::open_amendments(shared, workspace, &files).await?;

    let mut by_conversation: HashMap<ConversationId, Vec<EventRow>> = HashMap::new();
    for row in rows {
        if let Some(conversation) = row.event.conversation {
            by_conversation.entry(conversation).or_default().push(row);
        }
    }
    let mut homes: BTreeMap<PartitionDay, Vec<ConversationState>> = BTreeMap::new();
    let count = by_conversation.len();
    for (conversation, rows) in by_conversation {
        let Some(first) = rows.first() else { continue };
        let mut state = known
            .remove(&conversation)
            .map(|(state, _)| state)
            .unwrap_or_else(|| ConversationState::new(conversation, first.event.connection, first.event.platform));
        for row in &rows {
            state.fold_row(row);
        }
        if state.stale {
            let history = history(shared, workspace, &files, &state, snapshot.next).await?;
            state.refold(history.iter().map(|row| &row.event));
        }
        state.amend(&amendments);
        state.version = snapshot.next;
        if state.expire(cut)
            && let Some(home) = state.home_day()
        {
            homes.entry(home).or_default().push(state);
        }
    }
    Ok((write_states(shared, workspace, snapshot.slot, homes).await?, count))
}

/// Every retained event of a conversation that is landed.
async fn history(
    shared: &Shared,
    workspace: WorkspaceId,
    files: &[DataFile],
    state: &ConversationState,
    before: Offset,
) -> Result<Vec<EventRow>, TransformError> {
    let files: Vec<DataFile> = files
        .iter()
        .filter(|f| f.table == Table::Events && state.days.iter().any(|d| d.day == f.day))
        .cloned()
        .collect();
    let filter = ScanFilter { conversations: vec![state.conversation], before: Some(before), ..ScanFilter::default() };
    states::scan_rows(shared, workspace, &files, &filter).await
}

/// Writes states into the files of their home days, sorted by conversation.
pub(crate) async fn write_states(
    shared: &Shared,
    workspace: WorkspaceId,
    slot: Slot,
    homes: BTreeMap<PartitionDay, Vec<ConversationState>>,
) -> Result<Vec<DataFile>, TransformError> {
    let mut files = Vec::with_capacity(homes.len());
    for (day, mut states) in homes {
        states.sort_unstable_by_key(|s| s.conversation);
        let mut columns = ConversationColumns::with_capacity(states.len());
        for state in &states {
            columns.push(state)?;
        }
        let target = NewFile { workspace, slot, table: Table::Conversations, day, class: RetentionClass::STANDARD };
        files.push(shared.files.write(target, vec![columns.finish()?]).await?);
    }
    Ok(files)
}
