//! Keeps files few and old content gone: merges the files of a partition day, drops superseded states, folds
//! amendments into the messages they change. Readers that pinned the old files finish on them.
mod conversations;
mod fold;
mod merge;
mod plan;

use crate::{Shared, TransformError, derive::LEASE};
use schemas::log::Slot;
use std::collections::BTreeMap;
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

/// Looks for work in a slot and does it. `all`: as if every day were settled and every amendment due.
pub(crate) async fn compact(shared: &Shared, slot: Slot, all: bool) -> Result<Compacted, TransformError> {
    let now = shared.clock.now();
    let job = format!("compact/{slot}");
    let Some(lease) = shared.catalog.take_lease(&job, &shared.holder, now, now + LEASE).await? else {
        return Ok(Compacted::default());
    };
    let mut done = Compacted::default();
    let mut by_workspace: BTreeMap<_, Vec<DataFile>> = BTreeMap::new();
    for file in shared.catalog.live_files(slot).await? {
        by_workspace.entry(file.workspace).or_default().push(file);
    }
    for (workspace, files) in by_workspace {
        let days = shared.retention_days(workspace);
        let plan = plan::plan(&files, now, days, &shared.jobs, all);
        if plan.is_empty() {
            continue;
        }
        let work = async {
            if plan.fold {
                fold::fold(shared, &lease, workspace, slot, &files, &mut done).await?;
            }
            // Folding may have replaced files: what is merged is looked up again.
            let live: Vec<DataFile> = if plan.fold {
                let live = shared.catalog.live_files(slot).await?;
                live.into_iter().filter(|f| f.workspace == workspace).collect()
            } else {
                files.clone()
            };
            for group in plan::plan(&live, now, days, &shared.jobs, all).merge {
                merge::merge(shared, &lease, &group, &mut done).await?;
            }
            if plan.conversations {
                conversations::compact(shared, &lease, workspace, slot, &live, &mut done).await?;
            }
            Ok::<_, TransformError>(())
        };
        match work.await {
            Ok(()) => {}
            // Files moved under our hands, or a day expired: the next run plans again.
            Err(TransformError::Superseded(why)) => tracing::info!(%workspace, why, "compact plans again next time"),
            Err(error) => return Err(error),
        }
    }
    Ok(done)
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
