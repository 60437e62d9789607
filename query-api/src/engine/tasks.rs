//! The engine's background work: following the log, and taking newer snapshots.
use super::{
    Shared,
    fault::Fault,
    slot::{SlotTail, follow},
    view::View,
};
use event_log::LogError;
use futures::{
    StreamExt,
    future::join_all,
    stream::{self, FuturesUnordered},
};
use schemas::log::Slot;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;

/// Views that take a newer snapshot at once, so that one that is slow does not keep the others.
const TOGETHER: usize = 8;

/// The engine's background work.
pub struct EngineTasks(pub(super) Arc<Shared>);

impl EngineTasks {
    /// Follows the log and the catalog until `stop`, or until a slot's log does not read: from then on answers would
    /// grow old without anybody noticing, so that the process had better end.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let shared = &self.0;
        let mut follow: FuturesUnordered<_> = shared.slots.iter().map(|slot| keep_following(shared, slot)).collect();
        tokio::select! {
            () = stop => {}
            _ = follow.next() => {}
            () = poll(shared) => {}
            () = keep_measuring(shared) => {}
        }
    }
}

async fn keep_following(shared: &Shared, slot: &Arc<SlotTail>) {
    loop {
        let error = follow(slot, &shared.context.clock).await;
        match error {
            // Another process has truncated what this one had not read: files hold it.
            LogError::Gone { .. } => {
                tracing::warn!(slot = %slot.id, %error, "reading on from the newest snapshot");
                while let Err(fault) = restart(shared, slot).await {
                    tracing::warn!(slot = %slot.id, ?fault, "the newest snapshot cannot be taken now");
                    tokio::time::sleep(shared.context.settings.snapshot_poll).await;
                }
            }
            other => {
                tracing::error!(slot = %slot.id, error = %other, "the log does not read");
                return;
            }
        }
    }
}

async fn restart(shared: &Shared, slot: &Arc<SlotTail>) -> Result<(), Fault> {
    let (snapshot, known) = super::newest(&shared.context, slot.id).await?;
    slot.restart(snapshot, known, shared.tail_budget());
    shared.views.forget_slot(slot.id);
    Ok(())
}

async fn poll(shared: &Arc<Shared>) {
    loop {
        // Whether somebody said so or the time is over, it is the same.
        let _ = tokio::time::timeout(shared.context.settings.snapshot_poll, shared.nudge.notified()).await;
        if let Err(fault) = refresh(shared).await {
            tracing::warn!(?fault, "newer snapshots cannot be taken now");
        }
    }
}

/// Beside [`poll`], so that neither frequent commits nor a view that is slow to follow keep the numbers old.
async fn keep_measuring(shared: &Shared) {
    let mut ticks = tokio::time::interval(shared.context.settings.snapshot_poll.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        measure(shared).await;
    }
}

async fn measure(shared: &Shared) {
    for slot in &shared.slots {
        slot.measure_lag().await;
        let (rows, bytes, lag) = slot.stats();
        shared.context.metrics.tail(slot.id, rows, bytes, lag);
    }
    shared.views.shrink(&shared.context);
}

/// Takes the newest snapshot of every slot that has a newer one.
pub(super) async fn refresh(shared: &Arc<Shared>) -> Result<(), Fault> {
    let newest = shared.context.catalog.snapshots().await?;
    // A view that was being loaded, or that could not follow, may be older than its slot.
    let views = shared.views.loaded();
    let oldest = |slot: &SlotTail| {
        let of_views = views.iter().filter(|v| v.slot.id == slot.id).map(|v| v.snapshot().number);
        of_views.min().map_or(slot.snapshot().number, |n| n.min(slot.snapshot().number))
    };
    let behind = |slot: &&Arc<SlotTail>| newest.iter().any(|s| s.slot == slot.id && s.number > oldest(slot));
    let advanced = join_all(shared.slots.iter().filter(behind).map(|slot| advance(shared, slot.id))).await;
    advanced.into_iter().collect()
}

/// Takes a slot's newest snapshot, for the slot and for every view of it.
pub(super) async fn advance(shared: &Shared, slot: Slot) -> Result<(), Fault> {
    let Some(slot) = shared.slot(slot) else { return Ok(()) };
    let _advancing = slot.advancing.lock().await;
    let (snapshot, known) = super::newest(&shared.context, slot.id).await?;
    slot.advance(snapshot, known);
    let views: Vec<_> = shared.views.loaded().into_iter().filter(|view| view.slot.id == slot.id).collect();
    let advance_one = |view: Arc<View>| async move {
        match view.advance().await {
            Ok(()) => {}
            // It was pinned for too long, or its workspace is gone: the next use loads it anew, or says why not.
            Err(fault) if fault.is_outdated() || fault.is_final() => shared.views.forget(&view),
            Err(fault) => tracing::warn!(workspace = %view.workspace, ?fault, "a view stays on its old snapshot"),
        }
    };
    stream::iter(views).for_each_concurrent(TOGETHER, advance_one).await;
    Ok(())
}
