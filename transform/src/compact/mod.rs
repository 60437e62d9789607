//! Keeps files few and old content gone: merges the files of a partition day, drops superseded states, folds
//! amendments into the messages they change. Readers that pinned the old files finish on them.
mod conversations;
mod fold;
mod merge;
mod plan;

use crate::{Faults, Shared, TransformError, lease};
use schemas::{ids::WorkspaceId, log::Slot, partition::DAY};
use std::{collections::BTreeSet, time::Duration};
use warehouse::catalog::{DataFile, Lease, Replacement};

/// What a run did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Files that went.
    pub removed: usize,
    /// Files that came.
    pub added: usize,
    /// Amendments that were folded into their messages.
    pub folded: usize,
}

/// How often the states of a workspace are cleared of superseded ones even where files are few: they may hold what was
/// taken back since, and must lose it within days (`security.md` §5).
const CLEAR_EVERY: Duration = DAY;

/// Looks for work in a slot and does it. `all`: as if every day were settled and every amendment due.
pub(crate) async fn compact(shared: &Shared, slot: Slot, all: bool) -> Result<Compacted, TransformError> {
    let Some(lease) = lease::take(shared, &format!("compact/{slot}")).await? else { return Ok(Compacted::default()) };
    lease::keeping(shared, &lease, compact_slot(shared, &lease, slot, all)).await
}

async fn compact_slot(shared: &Shared, lease: &Lease, slot: Slot, all: bool) -> Result<Compacted, TransformError> {
    let now = shared.clock.now();
    let mut done = Compacted::default();
    let mut faults = Faults::default();
    let crowds = shared.catalog.crowded(slot).await?;
    let crowded = crowds.iter().filter(|crowd| plan::may_be_due(crowd, now, &shared.jobs, all));
    let mut work: BTreeSet<WorkspaceId> = crowded.map(|crowd| crowd.workspace).collect();
    // Superseded states lie beside their successors or in files of other days; only derived workspaces have any.
    let derived = shared.catalog.derived(slot).await?.into_iter().map(|(workspace, _)| workspace);
    work.extend(derived.filter(|workspace| is_to_be_cleared(shared, *workspace)));
    for workspace in work {
        let files = shared.catalog.files(workspace, shared.catalog.snapshot(slot).await?).await?;
        if let Err(error) = compact_workspace(shared, lease, workspace, slot, files, all, &mut done).await {
            faults.take("compact", workspace, error)?;
        }
    }
    faults.end()?;
    Ok(done)
}

async fn compact_workspace(
    shared: &Shared,
    lease: &Lease,
    workspace: WorkspaceId,
    slot: Slot,
    mut files: Vec<DataFile>,
    all: bool,
    done: &mut Compacted,
) -> Result<(), TransformError> {
    let (now, days) = (shared.clock.now(), shared.retention_days(workspace));
    let folded_before = done.folded;
    if plan::plan(&files, now, days, &shared.jobs, all).fold {
        fold::fold(shared, lease, workspace, slot, &files, done).await?;
        // Folding may have replaced files: what is merged is looked up again.
        files = shared.catalog.files(workspace, shared.catalog.snapshot(slot).await?).await?;
    }
    let plan = plan::plan(&files, now, days, &shared.jobs, all);
    for group in &plan.merge {
        merge::merge(shared, lease, group, done).await?;
    }
    let clear = done.folded > folded_before || is_to_be_cleared(shared, workspace);
    if clear || !plan.conversations.is_empty() {
        let days = if clear { conversations::Days::All } else { conversations::Days::These(&plan.conversations) };
        conversations::compact(shared, lease, workspace, slot, &files, days, done).await?;
    }
    if clear {
        shared.memory.cleared.lock().insert(workspace, now);
    }
    Ok(())
}

/// True when a workspace's states were not cleared of superseded ones for long.
fn is_to_be_cleared(shared: &Shared, workspace: WorkspaceId) -> bool {
    let cleared = shared.memory.cleared.lock().get(&workspace).copied();
    cleared.is_none_or(|at| at + CLEAR_EVERY <= shared.clock.now())
}

/// Commits a replacement of files.
async fn replace(
    shared: &Shared,
    lease: &Lease,
    slot: Slot,
    remove: Vec<&DataFile>,
    add: Vec<DataFile>,
    point: (&'static str, &'static str),
    done: &mut Compacted,
) -> Result<(), TransformError> {
    shared.faults.at(point.0);
    shared.files.make_durable(&add).await?;
    done.removed += remove.len();
    done.added += add.len();
    let replacement = Replacement {
        lease: lease.clone(),
        slot,
        remove: remove.iter().map(|f| f.id).collect(),
        add,
        derived: Vec::new(),
        at: shared.clock.now(),
    };
    shared.catalog.replace(replacement).await?;
    shared.faults.at(point.1);
    (shared.committed)(slot);
    Ok(())
}
