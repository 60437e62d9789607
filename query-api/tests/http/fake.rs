//! An engine that holds what a test gives it.
use async_trait::async_trait;
use futures::{StreamExt, channel::mpsc};
use parking_lot::Mutex;
use query_api::{
    engine::types::*,
    http::answers::{Answers, Changes, Live},
};
use records::Position;
use schemas::{
    ids::{ConversationId, WorkspaceId},
    kind::Source,
    log::{Offset, Slot},
    time::Millis,
};
use std::{collections::HashMap, time::Duration};

#[derive(Default)]
pub struct Shelf {
    pub slot: Slot,
    pub conversations: Vec<ConversationItem>,
    pub messages: Vec<MessageItem>,
    pub events: Vec<EventItem>,
    pub at: u64,
    /// What `replay` gives, if it is not too old.
    pub changes: Option<Vec<(Position, Change)>>,
    pub subscribers: Vec<mpsc::UnboundedSender<Live>>,
    /// Said to a subscriber as soon as it is there, as by an engine that is busy.
    pub at_once: Vec<Live>,
}

#[derive(Default)]
pub struct Fake {
    pub shelves: Mutex<HashMap<WorkspaceId, Shelf>>,
    pub failing: Mutex<Option<fn() -> QueryError>>,
    pub filter: Mutex<Option<InboxFilter>>,
}

pub fn position(slot: Slot, next: u64) -> Position {
    Position { epoch: crate::log::EPOCH, slot, next: Offset(next) }
}

fn page<T: Clone, P: Clone + PartialEq>(all: Vec<(P, T)>, walk: Walk<P>, limit: usize) -> Page<T, P> {
    let find = |place: &P| all.iter().position(|(at, _)| at == place).expect("a place of this list");
    let (start, end) = match &walk {
        Walk::Start => (0, limit),
        Walk::After(place) => (find(place) + 1, find(place) + 1 + limit),
        Walk::Before(place) => (find(place).saturating_sub(limit), find(place)),
    };
    let end = end.min(all.len());
    let shown = &all[start..end];
    let next = shown.last().filter(|_| end < all.len()).map(|(place, _)| place.clone());
    let prev = shown.first().filter(|_| start > 0).map(|(place, _)| place.clone());
    let items = shown.iter().map(|(_, item)| item.clone()).collect();
    Page { items, next, prev }
}

impl Fake {
    pub fn with<R>(&self, workspace: WorkspaceId, f: impl FnOnce(&mut Shelf) -> R) -> R {
        f(self.shelves.lock().entry(workspace).or_default())
    }

    /// Tells every subscriber, at once.
    pub fn tell(&self, workspace: WorkspaceId, live: impl IntoIterator<Item = Live>) {
        let live: Vec<_> = live.into_iter().collect();
        self.with(workspace, |shelf| {
            for subscriber in &shelf.subscribers {
                for one in &live {
                    drop(subscriber.unbounded_send(one.clone()));
                }
            }
        });
    }

    fn check(&self) -> Result<(), QueryError> {
        match *self.failing.lock() {
            Some(error) => Err(error()),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Answers for Fake {
    async fn conversations(
        &self,
        ws: WorkspaceId,
        filter: &InboxFilter,
        walk: Walk<InboxPlace>,
        limit: usize,
    ) -> Result<Page<ConversationItem, InboxPlace>, QueryError> {
        self.check()?;
        *self.filter.lock() = Some(filter.clone());
        let mut all = self.with(ws, |shelf| shelf.conversations.clone());
        all.retain(|item| filter.status.is_none_or(|status| item.status == status));
        all.sort_by_key(|item| std::cmp::Reverse((item.last_activity_at, item.id)));
        let place = |item: &ConversationItem| InboxPlace {
            at: item.last_activity_at.unwrap_or_default(),
            conversation: item.id,
        };
        Ok(page(all.into_iter().map(|item| (place(&item), item)).collect(), walk, limit))
    }

    async fn counts(&self, ws: WorkspaceId, filter: &InboxFilter) -> Result<Counts, QueryError> {
        self.check()?;
        *self.filter.lock() = Some(filter.clone());
        let total = self.with(ws, |shelf| shelf.conversations.len() as u64);
        Ok(Counts { total, by_status: [("open", total)].into(), ..Counts::default() })
    }

    async fn conversation(&self, ws: WorkspaceId, id: ConversationId) -> Result<ConversationItem, QueryError> {
        self.check()?;
        let found = self.with(ws, |shelf| shelf.conversations.iter().find(|item| item.id == id).cloned());
        found.ok_or(QueryError::NotFound)
    }

    async fn messages(
        &self,
        ws: WorkspaceId,
        id: ConversationId,
        order: Order,
        walk: Walk<MessagePlace>,
        limit: usize,
    ) -> Result<Page<MessageItem, MessagePlace>, QueryError> {
        self.conversation(ws, id).await?;
        let mut all = self.with(ws, |shelf| shelf.messages.clone());
        all.sort_by_key(|item| (item.event_at, item.id));
        if order == Order::Newest {
            all.reverse();
        }
        let place = |item: &MessageItem| MessagePlace { at: item.event_at, seq: 0, id: item.id };
        Ok(page(all.into_iter().map(|item| (place(&item), item)).collect(), walk, limit))
    }

    async fn events(
        &self,
        ws: WorkspaceId,
        after: Option<Offset>,
        limit: usize,
    ) -> Result<(Vec<EventItem>, Offset), QueryError> {
        self.check()?;
        let from = after.unwrap_or_default();
        let items: Vec<_> = self
            .with(ws, |shelf| shelf.events.iter().filter(|event| event.offset >= from).take(limit).cloned().collect());
        let next = items.last().map_or(from, |event| event.offset.next());
        Ok((items, next))
    }

    async fn reach(&self, ws: WorkspaceId, position: Position, _: Duration) -> Result<(), QueryError> {
        // The log has what it says, and all that is on the shelf.
        let of = |shelf: &mut Shelf| {
            let changes = shelf.changes.iter().flatten().map(|(position, _)| position.next.0);
            changes.chain(shelf.events.iter().map(|event| event.offset.0 + 1)).chain([shelf.at]).max()
        };
        let at = self.with(ws, of).unwrap_or_default();
        if position.next.0 <= at { Ok(()) } else { Err(QueryError::Unavailable("not reached".into())) }
    }

    async fn position(&self, ws: WorkspaceId) -> Result<Position, QueryError> {
        self.check()?;
        Ok(self.with(ws, |shelf| position(shelf.slot, shelf.at)))
    }

    async fn complete_through(&self, _: WorkspaceId) -> Result<CompleteThrough, QueryError> {
        Ok(Source::ALL.iter().map(|source| (*source, Millis(1_795_335_330_123))).collect())
    }

    async fn subscribe(&self, ws: WorkspaceId) -> Result<Changes, QueryError> {
        self.check()?;
        let (sender, receiver) = mpsc::unbounded();
        self.with(ws, |shelf| {
            for live in shelf.at_once.drain(..) {
                sender.unbounded_send(live).expect("the receiver is here");
            }
            shelf.subscribers.push(sender);
        });
        Ok(receiver.boxed())
    }

    async fn replay(
        &self,
        ws: WorkspaceId,
        from: Position,
        max: usize,
    ) -> Result<Option<Vec<(Position, Change)>>, QueryError> {
        let changes = self.with(ws, |shelf| shelf.changes.clone());
        let changes: Option<Vec<_>> =
            changes.map(|all| all.into_iter().filter(|(at, _)| at.next > from.next).collect());
        Ok(changes.filter(|changes| changes.len() <= max))
    }
}
