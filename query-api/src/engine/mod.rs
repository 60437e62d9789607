//! Questions about one workspace, answered from a pinned snapshot and the tail: every event once, fresh in milliseconds.
//!
//! Each slot's log is followed from its newest snapshot on ([`slot`]); the records stay sealed. A workspace in use has a
//! [`view`]: its [`inbox`], its amendments and an index of its tail. Every question first folds what the slot has read,
//! so that an answer covers at least the [`Engine::position`] that was asked before it. When a newer snapshot appears,
//! slot and views take its files in the place of the records that they hold ([`tasks`]); questions that run finish on
//! what they began with.
mod changes;
mod context;
mod events;
mod fault;
mod inbox;
mod items;
mod live;
mod metrics;
mod options;
mod questions;
mod retention;
mod slot;
mod tasks;
pub mod types;
mod view;
mod views;
mod weight;
mod window;

pub use live::{Live, Subscription};
pub use metrics::EngineMetrics;
pub use options::{EngineOptions, EngineSettings};
pub use questions::EVENTS_MAX;
pub use tasks::EngineTasks;

use context::Context;
use fault::Fault;
use records::Position;
use schemas::{
    ids::WorkspaceId,
    kind::Source,
    log::{Offset, Slot},
};
use slot::{Known, SlotTail};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use types::{CompleteThrough, QueryError};
use view::View;
use views::Views;
use warehouse::catalog::Snapshot;
use window::Windows;

/// How much of a slot's log is held for readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TailStats {
    /// Of which slot.
    pub slot: Slot,
    /// Records after the pinned snapshot.
    pub rows: u64,
    /// Bytes of those that are held in memory.
    pub bytes: u64,
    /// Records in the log that were not read yet, when it was last looked at.
    pub lag: u64,
}

struct Shared {
    context: Context,
    slots: Vec<Arc<SlotTail>>,
    views: Views,
    windows: Windows,
    nudge: Notify,
}

impl Shared {
    fn slot(&self, id: Slot) -> Option<&Arc<SlotTail>> {
        self.slots.iter().find(|slot| slot.id == id)
    }

    fn tail_budget(&self) -> usize {
        self.context.settings.tail_bytes / self.slots.len().max(1)
    }
}

/// A slot's newest snapshot, with what is known beside it; see [`Known`] for the order.
async fn newest(context: &Context, slot: Slot) -> Result<(Snapshot, Known), Fault> {
    let derived = context.catalog.derived(slot).await?.into_iter().collect();
    let snapshot = context.catalog.snapshot(slot).await?;
    let claimed = context.catalog.claimed_workspaces().await?.into_iter().collect();
    Ok((snapshot, Known { derived, claimed }))
}

/// Answers. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

impl Engine {
    /// Pins the newest snapshot of every slot. The log is followed once [`EngineTasks::run`] runs.
    ///
    /// # Errors
    /// [`QueryError::Unavailable`] when the catalog does not answer, [`QueryError::Integrity`] when it is bound to
    /// another log.
    pub async fn start(options: EngineOptions) -> Result<(Self, EngineTasks), QueryError> {
        let context = Context::new(options);
        let budget = context.settings.tail_bytes / usize::try_from(context.log.slots()).unwrap_or(1).max(1);
        let mut slots = Vec::new();
        for id in (0..context.log.slots()).map(Slot) {
            let (snapshot, known) = newest(&context, id).await?;
            if snapshot.epoch != context.log.epoch() {
                return Err(QueryError::Integrity("the catalog is bound to another log".into()));
            }
            let slot = SlotTail::new(context.log.clone(), snapshot, known, budget, context.clock.now());
            slots.push(Arc::new(slot));
        }
        let windows = Windows::new(context.settings.window_bytes);
        let shared = Arc::new(Shared { context, slots, views: Views::default(), windows, nudge: Notify::new() });
        Ok((Self(shared.clone()), EngineTasks(shared)))
    }

    /// Waits until answers cover a position (`min_position`).
    ///
    /// # Errors
    /// [`QueryError::PositionUnknown`] for another log's or slot's, [`QueryError::Unavailable`] after `timeout`.
    pub async fn reach(&self, ws: WorkspaceId, position: Position, timeout: Duration) -> Result<(), QueryError> {
        let slot = self.slot_of(ws)?;
        if position.epoch != self.0.context.log.epoch() || position.slot != slot.id {
            return Err(QueryError::PositionUnknown);
        }
        let late = |_| QueryError::Unavailable("the position was not reached in time".into());
        tokio::time::timeout(timeout, slot.reached(position.next)).await.map_err(late)?;
        // However long a workspace takes to load: who asked has to wait for that in any case.
        self.view(ws).await.map(drop)
    }

    /// What the next answer covers at least.
    ///
    /// # Errors
    /// [`QueryError::NotFound`], [`QueryError::KeyDestroyed`].
    pub fn position(&self, ws: WorkspaceId) -> Result<Position, QueryError> {
        let slot = self.slot_of(ws)?;
        Ok(Position { epoch: self.0.context.log.epoch(), slot: slot.id, next: slot.end() })
    }

    /// Up to when each source has been read. All of them come through the same log.
    pub fn complete_through(&self, ws: WorkspaceId) -> CompleteThrough {
        let Ok(slot) = self.slot_of(ws) else { return CompleteThrough::default() };
        let at = slot.complete_through(self.0.context.clock.now());
        Source::ALL.iter().map(|source| (*source, at)).collect()
    }

    /// Says that a slot's snapshot may be newer, so that it is taken at once.
    pub fn nudge(&self, _slot: Slot) {
        self.0.nudge.notify_one();
    }

    /// Takes newer snapshots now, and returns once every view stands on them.
    ///
    /// # Errors
    /// [`QueryError::Unavailable`]; those that it was not done for stay as they are.
    pub async fn refresh(&self) -> Result<(), QueryError> {
        Ok(tasks::refresh(&self.0).await?)
    }

    /// The smallest offset of each slot that is still needed from the log; it is truncated only below it.
    pub fn pins(&self) -> Vec<(Slot, Offset)> {
        self.0.slots.iter().map(|slot| (slot.id, slot.needed())).collect()
    }

    /// How much of each slot's log is held.
    pub fn tail_stats(&self) -> Vec<TailStats> {
        let stats = |slot: &Arc<SlotTail>| {
            let (rows, bytes, lag) = slot.stats();
            TailStats { slot: slot.id, rows, bytes, lag }
        };
        self.0.slots.iter().map(stats).collect()
    }

    fn slot_of(&self, ws: WorkspaceId) -> Result<&Arc<SlotTail>, QueryError> {
        let workspace = self.0.context.workspace(ws)?;
        self.0.slot(workspace.slot).ok_or(QueryError::NotFound)
    }

    /// A workspace's view, everything folded that its slot has read.
    async fn view(&self, ws: WorkspaceId) -> Result<Arc<View>, QueryError> {
        let first = self.view_once(ws).await;
        match first {
            Err(fault) if fault.is_outdated() => {
                // Loading from a snapshot that was pinned too long: once more, from the newest.
                self.retry_from(ws, None).await?;
                Ok(self.view_once(ws).await?)
            }
            other => Ok(other?),
        }
    }

    async fn view_once(&self, ws: WorkspaceId) -> Result<Arc<View>, Fault> {
        let (shared, slot) = (&self.0, self.slot_of(ws)?);
        // The keys say within a second when a workspace was destroyed; what is in memory must not outlive them.
        let alive = shared.context.keyring.pseudonyms(ws).await.map(drop).map_err(Fault::from);
        let view = match alive {
            Ok(()) => shared.views.get(&shared.context, slot, ws).await?,
            Err(fault) => {
                if fault.is_final() {
                    shared.views.forget_workspace(ws);
                }
                return Err(fault);
            }
        };
        match view.catch_up().await {
            Ok(()) => Ok(view),
            Err(fault) => {
                if fault.is_outdated() || fault.is_final() {
                    shared.views.forget(&view);
                }
                Err(fault)
            }
        }
    }

    /// After a fault of a snapshot: takes the newest, so that the next try stands on it.
    async fn retry_from(&self, ws: WorkspaceId, view: Option<&Arc<View>>) -> Result<(), QueryError> {
        let slot = self.slot_of(ws)?.id;
        let before = view.map(|view| view.snapshot().number);
        tasks::advance(&self.0, slot).await?;
        if let Some(view) = view.filter(|view| Some(view.snapshot().number) == before) {
            // Nothing newer, or it could not be taken: load anew.
            self.0.views.forget(view);
            self.0.windows.forget(view.serial);
        }
        Ok(())
    }
}
