//! Questions about one workspace, answered from a pinned snapshot and the tail.
mod metrics;
mod options;
pub mod types;

pub use metrics::EngineMetrics;
pub use options::{EngineOptions, EngineSettings};

use records::Position;
use schemas::{
    ids::{ConversationId, WorkspaceId},
    log::{Offset, Slot},
};
use std::{future::Future, time::Duration};
use types::*;

/// Live changes of a workspace, from [`Engine::subscribe`] on.
pub struct Subscription(());

/// What a subscriber is told.
#[derive(Clone, Debug)]
pub enum Live {
    /// A change, and the position after it.
    Change(Position, Change),
    /// Changes were missed; begin again from the lists.
    Reset,
}

/// How much of a slot's log is held for readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TailStats {
    /// Of which slot.
    pub slot: Slot,
    /// Records after the pinned snapshot.
    pub rows: u64,
    /// Bytes of those that are held in memory.
    pub bytes: u64,
    /// Records in the log that were not read yet.
    pub lag: u64,
}

impl Subscription {
    /// Everything up to here is not told again; what comes after is.
    pub fn start(&self) -> Position {
        Position { epoch: Default::default(), slot: Slot(0), next: Offset(0) }
    }

    /// The next change; `None` when the engine has stopped.
    pub async fn next(&mut self) -> Option<Live> {
        None
    }
}

/// Answers. Cheap to clone.
#[derive(Clone)]
pub struct Engine(());

/// The engine's background work.
pub struct EngineTasks(());

impl EngineTasks {
    /// Follows the log and the catalog until `stop`.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        stop.await;
    }
}

fn not_yet<T>() -> Result<T, QueryError> {
    Err(QueryError::Unavailable("not yet".into()))
}

#[allow(missing_docs, unused_variables, reason = "placeholder")]
impl Engine {
    pub async fn start(options: EngineOptions) -> Result<(Self, EngineTasks), QueryError> {
        not_yet()
    }
    pub async fn conversations(&self, ws: WorkspaceId, filter: &InboxFilter, walk: Walk<InboxPlace>, limit: usize) -> Result<Page<ConversationItem, InboxPlace>, QueryError> {
        not_yet()
    }
    pub async fn counts(&self, ws: WorkspaceId, filter: &InboxFilter) -> Result<Counts, QueryError> {
        not_yet()
    }
    pub async fn conversation(&self, ws: WorkspaceId, id: ConversationId) -> Result<ConversationItem, QueryError> {
        not_yet()
    }
    pub async fn messages(&self, ws: WorkspaceId, id: ConversationId, order: Order, walk: Walk<MessagePlace>, limit: usize) -> Result<Page<MessageItem, MessagePlace>, QueryError> {
        not_yet()
    }
    pub async fn events(&self, ws: WorkspaceId, after: Option<Offset>, limit: usize) -> Result<(Vec<EventItem>, Offset), QueryError> {
        not_yet()
    }
    pub async fn reach(&self, ws: WorkspaceId, position: Position, timeout: Duration) -> Result<(), QueryError> {
        not_yet()
    }
    pub fn position(&self, ws: WorkspaceId) -> Result<Position, QueryError> {
        not_yet()
    }
    pub fn complete_through(&self, ws: WorkspaceId) -> CompleteThrough {
        CompleteThrough::default()
    }
    pub async fn subscribe(&self, ws: WorkspaceId) -> Result<Subscription, QueryError> {
        not_yet()
    }
    pub async fn replay(&self, ws: WorkspaceId, from: Position, max: usize) -> Result<Option<Vec<(Position, Change)>>, QueryError> {
        not_yet()
    }
    pub fn nudge(&self, slot: Slot) {}
    pub fn pins(&self) -> Vec<(Slot, Offset)> {
        Vec::new()
    }
    pub fn tail_stats(&self) -> Vec<TailStats> {
        Vec::new()
    }
}
