//! Brings the derived tables up to an offset, for the conversations that events touched. Behind is fine, wrong is not:
//! readers fold what lies above the derived offset themselves, with the same functions.
mod fold;

use crate::{Faults, Shared, TransformError, lease, states};
use fold::Grouped;
use schemas::{
    columns::EventRow,
    conversation::ConversationState,
    ids::{ConversationId, WorkspaceId},
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table, cut},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use tokio::{sync::Semaphore, task::JoinSet};
use warehouse::{
    catalog::{DataFile, Lease, Replacement},
    file::{NewFile, ScanFilter},
};

/// Workspaces whose states are committed together: a commit costs one sync and one transaction, whatever it holds.
const TOGETHER: usize = 1024;
/// Workspaces that are derived at once: reading and writing small files is mostly waiting.
const AT_ONCE: usize = 8;
/// About how many rows are folded at once, all workspaces together: bounds the memory after an import or a long pause.
const WINDOW_ROWS: u32 = 200_000;

/// Derives what was landed in a slot since the last time. Returns how many conversations were brought up.
pub(crate) async fn derive(shared: &Arc<Shared>, slot: Slot) -> Result<usize, TransformError> {
    let Some(lease) = lease::take(shared, &format!("derive/{slot}")).await? else { return Ok(0) };
    lease::keeping(shared, &lease, derive_slot(shared, &lease, slot)).await
}

async fn derive_slot(shared: &Arc<Shared>, lease: &Lease, slot: Slot) -> Result<usize, TransformError> {
    // Files that come while this runs are the next run's.
    let newest = shared.catalog.snapshot(slot).await?.number;
    let since = shared.memory.derived.lock().get(&slot).copied().unwrap_or_default();
    let mut work = shared.catalog.underived(slot, since).await?;
    let mut count = 0;
    let mut faults = Faults::default();
    let mut complete = true;
    // A round is one window of each workspace; the next window folds on from what this one wrote.
    while !work.is_empty() {
        let round = derive_round(shared, lease, slot, std::mem::take(&mut work), &mut faults).await?;
        (count, complete, work) = (count + round.conversations, complete && round.complete, round.more);
    }
    if complete {
        shared.memory.derived.lock().insert(slot, newest);
    }
    faults.end()?;
    Ok(count)
}

/// What a round brought.
#[derive(Default)]
struct Round {
    conversations: usize,
    /// Workspaces that have more, and from where on.
    more: Vec<(WorkspaceId, Offset)>,
    /// False when a workspace was left for the next run.
    complete: bool,
}

async fn derive_round(
    shared: &Arc<Shared>,
    lease: &Lease,
    slot: Slot,
    work: Vec<(WorkspaceId, Offset)>,
    faults: &mut Faults,
) -> Result<Round, TransformError> {
    let mut round = Round { complete: true, ..Round::default() };
    let mut pending = Pending::default();
    let memory = Arc::new(Semaphore::new(WINDOW_ROWS as usize));
    let mut work = work.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE
            && let Some((workspace, from)) = work.next()
        {
            let (shared, memory) = (shared.clone(), memory.clone());
            running
                .spawn(async move { (workspace, from, derive_window(&shared, slot, workspace, from, &memory).await) });
        }
        let Some(ended) = running.join_next().await else { break };
        let (workspace, from, window) = ended.map_err(|_| stopped())?;
        match window {
            Ok(window) => {
                round.conversations += window.conversations;
                pending.add.extend(window.files);
                pending.derived.push((workspace, window.to));
                if window.more && window.to > from {
                    round.more.push((workspace, window.to));
                }
            }
            Err(error) => {
                round.complete = false;
                if let Err(error) = faults.take("derive", workspace, error) {
                    // What is written already must not be written again at each run.
                    commit(shared, lease, slot, pending).await?;
                    return Err(error);
                }
            }
        }
        if pending.derived.len() >= TOGETHER {
            pending = commit(shared, lease, slot, pending).await?;
        }
    }
    commit(shared, lease, slot, pending).await?;
    Ok(round)
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

/// What one window brought.
struct Window {
    files: Vec<DataFile>,
    conversations: usize,
    to: Offset,
    more: bool,
}

async fn derive_window(
    shared: &Shared,
    slot: Slot,
    workspace: WorkspaceId,
    from: Offset,
    memory: &Semaphore,
) -> Result<Window, TransformError> {
    let (now, days) = (shared.clock.now(), shared.retention_days(workspace));
    let cut = cut(now, RetentionClass::STANDARD, days);
    let (snapshot, files) = states::readable_files(shared, workspace, slot).await?;
    let mut fresh: Vec<DataFile> =
        files.iter().filter(|f| f.table == Table::Events && f.max_offset >= from).cloned().collect();
    let to = window_end(&mut fresh, from).unwrap_or(snapshot.next);
    let held = u32::try_from(fresh.iter().map(|f| f.rows).sum::<u64>()).unwrap_or(u32::MAX).min(WINDOW_ROWS);
    let _memory = memory.acquire_many(held).await.map_err(|_| stopped())?;
    let rows = states::rows_between(shared, workspace, &fresh, from, to).await?;
    let (open, _) = states::open_amendments(shared, workspace, &files).await?;
    let grouped = aside(move || Grouped::of(rows, open)).await?;
    let wanted: HashSet<ConversationId> = grouped.conversations().collect();
    let conversations = wanted.len();
    let known = states::newest_states(shared, &files, &wanted).await?;
    let mut folded = aside(move || grouped.fold(known, to)).await?;
    for state in folded.states.iter_mut().filter(|state| state.stale) {
        let history = history(shared, workspace, &files, state, to).await?;
        state.refold(cut, history.iter().map(|row| &row.event));
    }
    let homes = aside(move || folded.homes(cut)).await?;
    let files = write_states(shared, workspace, slot, homes).await?;
    Ok(Window { files, conversations, to, more: to < snapshot.next })
}

/// Keeps the first files that together hold about [`WINDOW_ROWS`] rows; where the others begin, the window ends.
fn window_end(files: &mut Vec<DataFile>, from: Offset) -> Option<Offset> {
    files.sort_unstable_by_key(|f| f.min_offset);
    let mut rows = 0;
    let fit = files.iter().take_while(|f| {
        let first = rows == 0;
        rows += f.rows;
        first || rows <= u64::from(WINDOW_ROWS)
    });
    let fit = fit.count();
    // Merged files overlap: a window must reach beyond where it began.
    let end = files[fit..].iter().map(|f| f.min_offset).find(|end| *end > from)?;
    files.retain(|f| f.min_offset < end);
    Some(end)
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

/// Runs pure work that may take long on a thread where no task waits for it.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, TransformError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| match error.is_panic() {
        true => TransformError::Integrity("making states has panicked".into()),
        false => stopped(),
    })
}

fn stopped() -> TransformError {
    TransformError::Unavailable("making states was stopped".into())
}

/// Writes states into the files of their home days, sorted by conversation.
pub(crate) async fn write_states(
    shared: &Shared,
    workspace: WorkspaceId,
    slot: Slot,
    homes: BTreeMap<PartitionDay, Vec<ConversationState>>,
) -> Result<Vec<DataFile>, TransformError> {
    let mut files = Vec::with_capacity(homes.len());
    for (day, states) in homes {
        let target = NewFile { workspace, slot, table: Table::Conversations, day, class: RetentionClass::STANDARD };
        for batch in aside(move || fold::columns(states)).await?? {
            files.push(shared.files.write(target, vec![batch]).await?);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::{ids::DataFileId, time::Millis};

    fn file(min: u64, max: u64, rows: u64) -> DataFile {
        DataFile {
            id: DataFileId([1; 16]),
            workspace: WorkspaceId([1; 16]),
            slot: Slot(0),
            table: Table::Events,
            day: PartitionDay(0),
            class: RetentionClass::STANDARD,
            rows,
            bytes: 1,
            sha256: [0; 32],
            min_at: Millis(0),
            max_at: Millis(0),
            min_offset: Offset(min),
            max_offset: Offset(max),
            amendments: 0,
            created_at: Millis(0),
        }
    }

    #[test]
    fn a_window_ends_where_the_files_that_do_not_fit_begin() {
        let mut few = vec![file(0, 9, 10), file(10, 19, 10)];
        assert_eq!(window_end(&mut few, Offset(0)), None);
        let mut many = vec![file(0, 9, u64::from(WINDOW_ROWS)), file(10, 19, 10), file(5, 30, 10)];
        assert_eq!(window_end(&mut many, Offset(0)), Some(Offset(5)));
        assert_eq!(many.len(), 1);
        let mut overlapping =
            vec![file(0, 100, u64::from(WINDOW_ROWS)), file(0, 100, u64::from(WINDOW_ROWS)), file(50, 60, 1)];
        assert_eq!(window_end(&mut overlapping, Offset(0)), Some(Offset(50)));
        assert_eq!(overlapping.len(), 2, "what overlaps is read together");
    }
}
