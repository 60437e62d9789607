//! What the HTTP layer asks of the engine, and nothing more, so that it is tested without one.
pub use crate::engine::Live;
use crate::engine::types::{
    Change, CompleteThrough, ConversationItem, Counts, EventItem, InboxFilter, InboxPlace, MessageItem, MessagePlace,
    Order, Page, QueryError, Walk,
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use records::Position;
use schemas::{
    ids::{ConversationId, WorkspaceId},
    log::Offset,
};
use std::time::Duration;

/// Changes from the subscription on. Ends when the workspace is no longer served here.
pub type Changes = BoxStream<'static, Live>;

/// Questions about one workspace. Every answer concerns this workspace only: what another one has is not found.
#[async_trait]
pub trait Answers: Send + Sync + 'static {
    /// A page of the inbox, newest activity first.
    async fn conversations(
        &self,
        workspace: WorkspaceId,
        filter: &InboxFilter,
        walk: Walk<InboxPlace>,
        limit: usize,
    ) -> Result<Page<ConversationItem, InboxPlace>, QueryError>;

    /// Counts of the inbox.
    async fn counts(&self, workspace: WorkspaceId, filter: &InboxFilter) -> Result<Counts, QueryError>;

    /// One conversation.
    async fn conversation(&self, workspace: WorkspaceId, id: ConversationId) -> Result<ConversationItem, QueryError>;

    /// A page of a conversation's messages.
    async fn messages(
        &self,
        workspace: WorkspaceId,
        id: ConversationId,
        order: Order,
        walk: Walk<MessagePlace>,
        limit: usize,
    ) -> Result<Page<MessageItem, MessagePlace>, QueryError>;

    /// Retained events after a place, or from the oldest, by log offset; and the place to go on after, which means
    /// nothing here and comes back as it was given.
    async fn events(
        &self,
        workspace: WorkspaceId,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<(Vec<EventItem>, Offset), QueryError>;

    /// Waits until answers hold all before the position; [`QueryError::Unavailable`] when that takes longer.
    async fn reach(&self, workspace: WorkspaceId, position: Position, within: Duration) -> Result<(), QueryError>;

    /// Up to where answers go now.
    async fn position(&self, workspace: WorkspaceId) -> Result<Position, QueryError>;

    /// Up to when each source has been read.
    async fn complete_through(&self, workspace: WorkspaceId) -> Result<CompleteThrough, QueryError>;

    /// Changes from now on: what comes after the call returns is in the stream.
    async fn subscribe(&self, workspace: WorkspaceId) -> Result<Changes, QueryError>;

    /// The changes above the position, in order and of whole records; `None` when they are of more than `max` records
    /// or no longer known. Not younger than a subscription that was made before.
    async fn replay(
        &self,
        workspace: WorkspaceId,
        from: Position,
        max: usize,
    ) -> Result<Option<Vec<(Position, Change)>>, QueryError>;
}
