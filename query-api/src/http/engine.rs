//! The engine behind the HTTP layer.
use super::answers::{Answers, Changes};
use crate::engine::{
    Engine,
    types::{
        Change, CompleteThrough, ConversationItem, Counts, EventItem, InboxFilter, InboxPlace, MessageItem,
        MessagePlace, Order, Page, QueryError, Walk,
    },
};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use records::Position;
use schemas::{
    ids::{ConversationId, WorkspaceId},
    log::Offset,
};
use std::time::Duration;

#[async_trait]
impl Answers for Engine {
    async fn conversations(
        &self,
        workspace: WorkspaceId,
        filter: &InboxFilter,
        walk: Walk<InboxPlace>,
        limit: usize,
    ) -> Result<Page<ConversationItem, InboxPlace>, QueryError> {
        Engine::conversations(self, workspace, filter, walk, limit).await
    }

    async fn counts(&self, workspace: WorkspaceId, filter: &InboxFilter) -> Result<Counts, QueryError> {
        Engine::counts(self, workspace, filter).await
    }

    async fn conversation(&self, workspace: WorkspaceId, id: ConversationId) -> Result<ConversationItem, QueryError> {
        Engine::conversation(self, workspace, id).await
    }

    async fn messages(
        &self,
        workspace: WorkspaceId,
        id: ConversationId,
        order: Order,
        walk: Walk<MessagePlace>,
        limit: usize,
    ) -> Result<Page<MessageItem, MessagePlace>, QueryError> {
        Engine::messages(self, workspace, id, order, walk, limit).await
    }

    async fn events(
        &self,
        workspace: WorkspaceId,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<(Vec<EventItem>, Offset), QueryError> {
        Engine::events(self, workspace, after, limit).await
    }

    async fn reach(&self, workspace: WorkspaceId, position: Position, within: Duration) -> Result<(), QueryError> {
        Engine::reach(self, workspace, position, within).await
    }

    async fn position(&self, workspace: WorkspaceId) -> Result<Position, QueryError> {
        Engine::position(self, workspace)
    }

    async fn complete_through(&self, workspace: WorkspaceId) -> Result<CompleteThrough, QueryError> {
        Ok(Engine::complete_through(self, workspace))
    }

    async fn subscribe(&self, workspace: WorkspaceId) -> Result<Changes, QueryError> {
        let subscription = Engine::subscribe(self, workspace).await?;
        let next = |mut subscription: crate::engine::Subscription| async move {
            let live = subscription.next().await?;
            Some((live, subscription))
        };
        Ok(stream::unfold(subscription, next).boxed())
    }

    async fn replay(
        &self,
        workspace: WorkspaceId,
        from: Position,
        max: usize,
    ) -> Result<Option<Vec<(Position, Change)>>, QueryError> {
        Engine::replay(self, workspace, from, max).await
    }
}
