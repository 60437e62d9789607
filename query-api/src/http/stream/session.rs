//! One open stream: what it still has to say, and when it ends.
use super::super::{Shared, answers::Changes, answers::Live, guard::Caller, problem::ApiError, slots::StreamSlot};
use crate::engine::types::Change;
use axum::response::sse::Event;
use futures::{FutureExt, Stream, StreamExt, stream};
use records::Position;
use schemas::log::Offset;
use std::{collections::VecDeque, convert::Infallible};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};
use warehouse::registry::Scope;

/// What a change is about: its event's name and the item's id.
type Subject = (&'static str, [u8; 16]);

pub(super) struct Session {
    api: Shared,
    caller: Caller,
    live: Changes,
    /// What was taken from `live` to see whether it belongs to the record before.
    ahead: Option<Option<Live>>,
    ready: VecDeque<Event>,
    /// Up to where a replay went, and what it said about that last record: the subscription is older than the replay
    /// and says it again.
    replayed: Option<(Position, Vec<Subject>)>,
    key_check: Interval,
    closing: watch::Receiver<bool>,
    _slot: StreamSlot,
}

impl Session {
    /// Subscribes: what happens after this is not missed.
    pub(super) async fn open(api: Shared, caller: Caller, slot: StreamSlot) -> Result<Self, ApiError> {
        let live = api.answers.subscribe(caller.workspace).await?;
        let mut key_check = interval(api.settings.key_check);
        key_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closing = api.closing.subscribe();
        let ready = VecDeque::new();
        Ok(Self { api, caller, live, ahead: None, ready, replayed: None, key_check, closing, _slot: slot })
    }

    /// Makes up for what happened above the position, or says that it cannot.
    pub(super) async fn resume(&mut self, from: Position) -> Result<(), ApiError> {
        let most = self.api.settings.replay;
        let changes = match self.api.answers.replay(self.caller.workspace, from, most.saturating_add(1)).await? {
            Some(changes) if changes.len() <= most => changes,
            _ => return self.reset().await,
        };
        for (at, (position, change)) in changes.iter().enumerate() {
            let last_of_record = changes.get(at + 1).is_none_or(|(next, _)| next != position);
            self.say(*position, change, last_of_record);
        }
        if let Some((last, _)) = changes.last() {
            let of_last = changes.iter().rev().take_while(|(position, _)| position == last);
            self.replayed = Some((*last, of_last.map(|(_, change)| subject(change)).collect()));
        }
        Ok(())
    }

    /// Says that changes were missed. Its data and id are where the stream goes on.
    pub(super) async fn reset(&mut self) -> Result<(), ApiError> {
        let position = self.api.answers.position(self.caller.workspace).await?.to_string();
        let data = serde_json::json!({ "position": position }).to_string();
        self.ready.push_back(Event::default().event("reset").id(position).data(data));
        Ok(())
    }

    /// The events, until the key is revoked, the API stops or the engine has nothing more to say.
    pub(super) fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, async |mut session| {
            let event = session.next().await?;
            Some((Ok(event), session))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            // Before each event and each wait: nothing is said to a key that is known to be revoked.
            if *self.closing.borrow() || !self.caller.holds(&self.api, Scope::Read) {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let ahead = self.ahead.take();
            let live = match ahead {
                Some(live) => live?,
                None => tokio::select! {
                    live = self.live.next() => live?,
                    _ = self.key_check.tick() => continue,
                    _ = self.closing.changed() => continue,
                },
            };
            match live {
                Live::Change(position, change) => self.hear(position, &change),
                // Without a position there is nothing to go on from: the client comes back with the last one it has.
                Live::Lagged => self.reset().await.ok()?,
            }
        }
    }

    fn hear(&mut self, position: Position, change: &Change) {
        self.ahead = self.live.next().now_or_never();
        let more = matches!(&self.ahead, Some(Some(Live::Change(next, _))) if *next == position);
        if let Some((last, said)) = &self.replayed {
            if position.next < last.next || (position == *last && said.contains(&subject(change))) {
                return;
            }
        }
        self.say(position, change, !more);
    }

    /// One record can change several items. All but the last carry the position before the record: who stops between
    /// them gets the record again, and loses nothing.
    fn say(&mut self, position: Position, change: &Change, last_of_record: bool) {
        let next = if last_of_record { position.next } else { Offset(position.next.0.saturating_sub(1)) };
        let id = Position { next, ..position };
        let event = Event::default().event(subject(change).0).id(id.to_string());
        let event = match change {
            Change::MessageCreated(item) | Change::MessageAmended(item) => event.json_data(item),
            Change::ConversationChanged(item) => event.json_data(item),
        };
        match event {
            Ok(event) => self.ready.push_back(event),
            Err(error) => {
                tracing::error!(%error, offset = next.0, "a change is no JSON")
            }
        }
    }
}

fn subject(change: &Change) -> Subject {
    match change {
        Change::MessageCreated(item) => ("message.created", item.id.0),
        Change::MessageAmended(item) => ("message.amended", item.id.0),
        Change::ConversationChanged(item) => ("conversation.changed", item.id.0),
    }
}
