//! The questions of the API, each of which is tried once more on the newest snapshot when its own was too old.
use super::{
    Engine, Subscription, changes, events,
    fault::Fault,
    inbox::{self, hot::Wanted},
    items,
    types::{
        Change, ConversationItem, Counts, EventItem, InboxFilter, InboxPlace, MessageItem, MessagePlace, Order, Page,
        QueryError, Walk,
    },
    view::{Direction, View},
};
use records::Position;
use schemas::{
    columns::EventRow,
    ids::{ConversationId, WorkspaceId},
    log::Offset,
};
use std::sync::Arc;

/// Most events of one answer.
pub const EVENTS_MAX: usize = 1000;
/// Tries of a question.
const TRIES: usize = 3;

/// Asks with a view, again when the view's snapshot was too old.
macro_rules! ask {
    ($engine:expr, $ws:expr, |$view:ident| $question:expr) => {{
        let mut tries = TRIES;
        loop {
            let $view: Arc<View> = $engine.view($ws).await?;
            let answer: Result<_, Fault> = $question;
            tries -= 1;
            match answer {
                Err(fault) if fault.is_outdated() && tries > 0 => $engine.retry_from($ws, Some(&$view)).await?,
                other => break other.map_err(QueryError::from),
            }
        }
    }};
}

impl Engine {
    /// A page of the inbox, newest activity first.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn conversations(
        &self,
        ws: WorkspaceId,
        filter: &InboxFilter,
        walk: Walk<InboxPlace>,
        limit: usize,
    ) -> Result<Page<ConversationItem, InboxPlace>, QueryError> {
        ask!(self, ws, |view| conversations(&view, filter, walk, limit).await)
    }

    /// How many conversations there are, by this and that.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn counts(&self, ws: WorkspaceId, filter: &InboxFilter) -> Result<Counts, QueryError> {
        ask!(self, ws, |view| counts(&view, filter).await)
    }

    /// One conversation.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn conversation(&self, ws: WorkspaceId, id: ConversationId) -> Result<ConversationItem, QueryError> {
        ask!(self, ws, |view| conversation(&view, id).await)
    }

    /// A page of a conversation's messages.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn messages(
        &self,
        ws: WorkspaceId,
        id: ConversationId,
        order: Order,
        walk: Walk<MessagePlace>,
        limit: usize,
    ) -> Result<Page<MessageItem, MessagePlace>, QueryError> {
        ask!(self, ws, |view| messages(&view, id, order, walk, limit).await)
    }

    /// The retained events at or above an offset, or from the oldest on, by offset; at most [`EVENTS_MAX`], and fewer
    /// where they are large. With the offset to go on from: the one after the last event, or where there is none, the
    /// one that was asked for.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn events(
        &self,
        ws: WorkspaceId,
        from: Option<Offset>,
        limit: usize,
    ) -> Result<(Vec<EventItem>, Offset), QueryError> {
        let from = from.unwrap_or_default();
        let most = limit.min(EVENTS_MAX);
        let rows = ask!(self, ws, |view| events::events(&view, &self.0.windows, from, most).await)?.rows;
        let next = rows.last().map_or(from, |row| row.offset.next());
        Ok((rows.iter().map(items::event).collect(), next))
    }

    /// Changes from now on. The workspace stays loaded as long as somebody listens.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn subscribe(&self, ws: WorkspaceId) -> Result<Subscription, QueryError> {
        for _ in 0..TRIES {
            let view = self.view(ws).await?;
            // Closed since: the next one is fresh.
            if let Some((listener, start)) = view.subscribe().await {
                return Ok(Subscription::new(listener, start));
            }
        }
        Err(QueryError::Unavailable("the workspace is being loaded".into()))
    }

    /// The changes from a position up to now, as [`Subscription::next`] would have told them; `None` when there are more
    /// than `max` events, or they are too large. Subscribe first, then ask for this, and of the subscription leave out what lies at or below
    /// the last position that this returned.
    ///
    /// # Errors
    /// See [`QueryError`]; [`QueryError::PositionUnknown`] for another log's or slot's position.
    pub async fn replay(
        &self,
        ws: WorkspaceId,
        from: Position,
        max: usize,
    ) -> Result<Option<Vec<(Position, Change)>>, QueryError> {
        let now = self.position(ws)?;
        if (from.epoch, from.slot) != (now.epoch, now.slot) {
            return Err(QueryError::PositionUnknown);
        }
        ask!(self, ws, |view| {
            match events::events(&view, &self.0.windows, from.next, max + 1).await {
                Ok(events) if events.cut || events.rows.len() > max => Ok(None),
                Ok(events) => replayed(&view, events.rows).await.map(Some),
                Err(fault) => Err(fault),
            }
        })
    }
}

async fn replayed(view: &View, rows: Vec<EventRow>) -> Result<Vec<(Position, Change)>, Fault> {
    view.count_cut_days(view.now_and_cut().1).await?;
    changes::of_rows(view, rows).await
}

async fn conversations(
    view: &View,
    filter: &InboxFilter,
    walk: Walk<InboxPlace>,
    limit: usize,
) -> Result<Page<ConversationItem, InboxPlace>, Fault> {
    let (now, cut) = view.now_and_cut();
    view.count_cut_days(cut).await?;
    let state = view.state.read();
    let days = &state.cut_days;
    let Some(wanted) = Wanted::new(filter, state.inbox.names(), now, cut, days) else {
        return Ok(Page { items: Vec::new(), next: None, prev: None });
    };
    let page = inbox::page(&state.inbox, &wanted, walk, limit)?;
    let item = |conversation| {
        let messages = days.message_count(conversation, cut);
        items::conversation(conversation, &state.amendments, now, cut, messages)
    };
    Ok(Page { items: page.items.iter().map(item).collect(), next: page.next, prev: page.prev })
}

async fn counts(view: &View, filter: &InboxFilter) -> Result<Counts, Fault> {
    let (now, cut) = view.now_and_cut();
    view.count_cut_days(cut).await?;
    let state = view.state.read();
    let wanted = Wanted::new(filter, state.inbox.names(), now, cut, &state.cut_days);
    Ok(inbox::counts(&state.inbox, wanted.as_ref()))
}

async fn conversation(view: &View, id: ConversationId) -> Result<ConversationItem, Fault> {
    view.count_cut_days(view.now_and_cut().1).await?;
    changes::conversation(view, id)?.ok_or(Fault::Query(QueryError::NotFound))
}

async fn messages(
    view: &View,
    id: ConversationId,
    order: Order,
    walk: Walk<MessagePlace>,
    limit: usize,
) -> Result<Page<MessageItem, MessagePlace>, Fault> {
    let (_, cut) = view.now_and_cut();
    conversation(view, id).await?;
    let Some((_, thread)) = view.thread(id, cut)? else { return Err(Fault::Query(QueryError::NotFound)) };
    let (along, against) = match order {
        Order::Newest => (Direction::Older, Direction::Newer),
        Order::Oldest => (Direction::Newer, Direction::Older),
    };
    let (from, onward) = match walk {
        Walk::Start => (None, true),
        Walk::After(place) => (Some(place), true),
        Walk::Before(place) => (Some(place), false),
    };
    let direction = if onward { along } else { against };
    let (mut rows, more) = view.messages_from(&thread, direction, from, limit).await?;
    if !onward {
        rows.reverse();
    }
    // The place that the walk came from is a message on the other side of this page.
    let came_from = from.is_some();
    let (next, prev) = if onward { (more, came_from) } else { (came_from, more) };
    Ok(Page {
        next: rows.last().filter(|_| next).map(|row| row.event.order_key()),
        prev: rows.first().filter(|_| prev).map(|row| row.event.order_key()),
        items: rows.iter().filter_map(items::message).collect(),
    })
}
