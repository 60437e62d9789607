//! One open stream: what it still has to say, and when it ends.
use super::{
    super::{
        Shared,
        answers::{Changes, Live},
        guard::Caller,
        problem::ApiError,
        slots::StreamSlot,
    },
    mark::Mark,
};
use crate::engine::types::Change;
use axum::response::sse::Event;
use futures::{Stream, StreamExt, stream};
use records::Position;
use std::{collections::VecDeque, convert::Infallible};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};
use warehouse::registry::Scope;

pub(super) struct Session {
    api: Shared,
    caller: Caller,
    live: Changes,
    ready: VecDeque<Event>,
    /// Up to where a replay went. The subscription is older and says the last of it again.
    replayed: Option<Position>,
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
        Ok(Self { api, caller, live, ready: VecDeque::new(), replayed: None, key_check, closing, _slot: slot })
    }

    /// Makes up for what happened after the mark, or says that it cannot.
    pub(super) async fn resume(&mut self, mark: Mark) -> Result<(), ApiError> {
        let most = self.api.settings.replay;
        let replay = self.api.answers.replay(self.caller.workspace, mark.replay_from(), most).await?;
        let Some(changes) = replay else { return self.reset().await };
        self.replayed = changes.last().map(|(position, _)| *position);
        for (position, change) in &changes {
            if !mark.covers(*position, change) {
                self.say(*position, change);
            }
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
            let live = tokio::select! {
                live = self.live.next() => live?,
                _ = self.key_check.tick() => continue,
                _ = self.closing.changed() => continue,
            };
            match live {
                Live::Change(position, _) if self.replayed.is_some_and(|last| position.next <= last.next) => {}
                Live::Change(position, change) => self.say(position, &change),
                // Without a position there is nothing to go on from: the client comes back with the last one it has.
                Live::Reset => self.reset().await.ok()?,
            }
        }
    }

    fn say(&mut self, position: Position, change: &Change) {
        let event = Event::default().id(Mark::of(position, change).to_string());
        let event = match change {
            Change::MessageCreated(item) => event.event("message.created").json_data(item),
            Change::MessageAmended(item) => event.event("message.amended").json_data(item),
            Change::ConversationChanged(item) => event.event("conversation.changed").json_data(item),
        };
        match event {
            Ok(event) => self.ready.push_back(event),
            Err(error) => tracing::error!(%error, offset = position.next.0, "a change is no JSON"),
        }
    }
}
