//! The state of a conversation as one fold over its events: the same function for the inbox, for `derive` and for
//! derivation from scratch (`DESIGN.md`, "Reading fast").
//!
//! Most fields commute: events may come in any order and grouping. The status does not: it is a small machine
//! ([`lifecycle`]) that steps in order. An event that comes late and could have changed an earlier step marks the
//! state stale, and the caller folds the lifecycle again over the conversation's retained events
//! ([`ConversationState::refold`]). What lies before the oldest retained day is kept as that day's mark.
pub mod lifecycle;
mod sketch;

pub use sketch::Sketch;

use crate::{
    amendment::Amendments,
    columns::{ColumnError, EventRow},
    event::{Author, Event, FUTURE_TOLERANCE, Message, OrderKey},
    ids::{ConnectionId, ContactId, ConversationId, EventId},
    kind::{Kind, Platform},
    log::Offset,
    partition::PartitionDay,
    time::Millis,
};
use lifecycle::{Input, Lifecycle};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most unread messages that are counted.
pub const UNREAD_MAX: usize = 100;

/// Everything the inbox shows of a conversation, and what is needed to fold on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ConversationState {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// The connection's platform.
    pub platform: Platform,
    /// All events of the slot below this offset are folded in.
    pub version: Offset,
    /// The contact.
    pub contact: Option<ContactId>,
    /// Its newest name, with the event that brought it.
    pub name: Option<(OrderKey, String)>,
    /// The newest message.
    pub last_message: Option<LastMessage>,
    /// Newest message or member action.
    pub last_activity_at: Option<Millis>,
    /// The newest customer messages, newest first, at most [`UNREAD_MAX`].
    pub customer_at: Vec<Millis>,
    /// Up to where a member has read.
    pub read_until: Option<Millis>,
    /// The newest message by a person of the business.
    pub human_reply_at: Option<Millis>,
    /// The partition days that hold its events, ascending.
    pub days: Vec<DayEntry>,
    /// Open, snoozed or closed.
    pub lifecycle: Lifecycle,
    /// Who it is assigned to, by the newest `assign`.
    pub assigned: Option<Assigned>,
    /// Tags: each with the event that last added or removed it.
    pub tags: BTreeMap<String, (OrderKey, bool)>,
    /// True while the lifecycle must be folded again, see [`Self::refold`].
    pub stale: bool,
}

/// The newest assignment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Assigned {
    /// The event that made it.
    pub key: OrderKey,
    /// The agent, or nobody.
    pub agent: Option<String>,
    /// The team, or none.
    pub team: Option<String>,
}

/// What the inbox row shows of the newest message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LastMessage {
    /// Its place.
    pub key: OrderKey,
    /// When it was received.
    pub received_at: Millis,
    /// Which day's files hold it.
    pub day: PartitionDay,
    /// Who wrote it.
    pub author: Option<Author>,
    /// Its content as it came.
    pub message: Message,
    /// When the text was last edited, once folded in.
    pub edited_at: Option<Millis>,
    /// Rank of that edit.
    pub edit_order: Option<i64>,
    /// That edit.
    pub edited_by: Option<EventId>,
    /// When it was taken back, once folded in.
    pub unsent_at: Option<Millis>,
}

/// One partition day of a conversation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DayEntry {
    /// The day.
    pub day: PartitionDay,
    /// Messages in it.
    pub messages: u32,
    /// The status before the first event of the day: where folding again starts.
    pub before: Lifecycle,
}

/// Details of the kinds that change a conversation, as an import line or the API gives them.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ActionDetails {
    agent: Option<String>,
    team: Option<String>,
    until: Option<Millis>,
    add: Vec<String>,
    remove: Vec<String>,
}

impl ConversationState {
    /// The state of a conversation that has no events yet.
    pub fn new(conversation: ConversationId, connection: ConnectionId, platform: Platform) -> Self {
        Self {
            conversation,
            connection,
            platform,
            version: Offset(0),
            contact: None,
            name: None,
            last_message: None,
            last_activity_at: None,
            customer_at: Vec::new(),
            read_until: None,
            human_reply_at: None,
            days: Vec::new(),
            lifecycle: Lifecycle::default(),
            assigned: None,
            tags: BTreeMap::new(),
            stale: false,
        }
    }

    /// Appends the state's bytes; they read back with [`Self::decode`], and in part with [`Sketch::read`].
    ///
    /// # Errors
    /// [`ColumnError`], which no value of ours causes.
    pub fn encode(&self, bytes: Vec<u8>) -> Result<Vec<u8>, ColumnError> {
        postcard::to_extend(self, bytes).map_err(|_| ColumnError("state"))
    }

    /// Reads a state back.
    ///
    /// # Errors
    /// [`ColumnError`] when the bytes are not a state's.
    pub fn decode(bytes: &[u8]) -> Result<Self, ColumnError> {
        postcard::from_bytes(bytes).map_err(|_| ColumnError("state"))
    }

    /// Messages that are retained, as far as whole days tell.
    pub fn message_count(&self) -> u64 {
        self.days.iter().map(|d| u64::from(d.messages)).sum()
    }

    /// Customer messages after the newest of read mark and human reply, not before `cut`; at most [`UNREAD_MAX`].
    pub fn unread(&self, cut: Millis) -> usize {
        let seen = self.read_until.max(self.human_reply_at);
        self.customer_at.iter().filter(|at| **at >= cut && seen.is_none_or(|seen| **at > seen)).count()
    }

    /// Tags that are set.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().filter(|(_, (_, set))| *set).map(|(tag, _)| tag.as_str())
    }

    /// Folds a stored row in: as [`Self::fold`], with what was already folded into the row.
    pub fn fold_row(&mut self, row: &EventRow) {
        self.fold(&row.event);
        if let Some(last) = &mut self.last_message
            && last.key.id == row.event.id
        {
            (last.edited_at, last.edit_order, last.edited_by) = (row.edited_at, row.edit_order, row.edited_by);
            last.unsent_at = row.unsent_at;
        }
    }

    /// Folds one event in. Each event of the conversation is folded exactly once; the caller sees to that.
    pub fn fold(&mut self, event: &Event) {
        self.fold_commuting(event);
        let day = event.partition_day();
        let Some(input) = Input::of(event, snooze_end(event)) else {
            self.enter_day(day);
            return;
        };
        let entry = self.enter_day(day);
        if self.lifecycle.commutes(input) {
            // Without closes and snoozes any order gives `open`; only the marks of the days after it must agree.
            self.lifecycle.open(event.order_key());
            for later in &mut self.days[entry + 1..] {
                later.before.open(event.order_key());
            }
        } else if self.lifecycle.is_late(event.order_key()) {
            self.stale = true;
        } else {
            self.lifecycle.step(event.order_key(), input);
        }
    }

    fn fold_commuting(&mut self, event: &Event) {
        let key = event.order_key();
        if let Some(contact) = &event.contact {
            self.contact = Some(self.contact.map_or(contact.id, |held| held.min(contact.id)));
            if let Some(name) = &contact.name
                && self.name.as_ref().is_none_or(|(held, _)| *held < key)
            {
                self.name = Some((key, name.clone()));
            }
        }
        if event.kind == Kind::Message || event.kind.is_member_action() {
            self.last_activity_at = self.last_activity_at.max(Some(event.event_at));
        }
        if event.is_customer_message() {
            let place = self.customer_at.partition_point(|at| *at >= event.event_at);
            if place < UNREAD_MAX {
                self.customer_at.insert(place, event.event_at);
                self.customer_at.truncate(UNREAD_MAX);
            }
        }
        if event.is_human_reply() {
            self.human_reply_at = self.human_reply_at.max(Some(event.event_at));
        }
        if let Some(message) = &event.message {
            self.count_message(event.partition_day());
            if self.last_message.as_ref().is_none_or(|held| held.key < key) {
                self.last_message = Some(LastMessage {
                    key,
                    received_at: event.received_at,
                    day: event.partition_day(),
                    author: event.author.clone(),
                    message: message.clone(),
                    edited_at: None,
                    edit_order: None,
                    edited_by: None,
                    unsent_at: None,
                });
            }
        }
        self.fold_action(event, key);
    }

    fn fold_action(&mut self, event: &Event, key: OrderKey) {
        if !matches!(event.kind, Kind::Assign | Kind::Tag | Kind::MemberRead) {
            return;
        }
        let details: ActionDetails = serde_json::from_str(&event.details).unwrap_or_default();
        match event.kind {
            Kind::Assign if self.assigned.as_ref().is_none_or(|held| held.key < key) => {
                self.assigned = Some(Assigned { key, agent: details.agent, team: details.team });
            }
            Kind::Tag => {
                let changes = details.add.into_iter().map(|t| (t, true));
                for (tag, set) in changes.chain(details.remove.into_iter().map(|t| (t, false))) {
                    let held = self.tags.entry(tag).or_insert((key, set));
                    if held.0 < key {
                        *held = (key, set);
                    }
                }
            }
            Kind::MemberRead => self.read_until = self.read_until.max(details.until),
            _ => {}
        }
    }

    fn count_message(&mut self, day: PartitionDay) {
        let entry = self.enter_day(day);
        self.days[entry].messages += 1;
    }

    /// The index of a day's entry, made if it is new.
    fn enter_day(&mut self, day: PartitionDay) -> usize {
        match self.days.binary_search_by_key(&day, |d| d.day) {
            Ok(at) => at,
            Err(at) => {
                // A day that comes after all others starts from where the machine stands. One that is put in before
                // others starts as the day after it does: either nothing of consequence lies between, or the event
                // is late and the state is folded again.
                let before = self.days.get(at).map_or(self.lifecycle, |later| later.before);
                self.days.insert(at, DayEntry { day, messages: 0, before });
                at
            }
        }
    }

    /// Folds the lifecycle again over all retained events of the conversation, in any order, from the mark of the
    /// oldest day that is not wholly before `cut`.
    pub fn refold<'a>(&mut self, cut: Millis, events: impl IntoIterator<Item = &'a Event>) {
        self.refold_steps(cut, events.into_iter().map(Step::of).collect());
    }

    /// The same over what is left of the events when their content is let go.
    pub fn refold_steps(&mut self, cut: Millis, mut steps: Vec<Step>) {
        self.expire_days(cut);
        steps.sort_unstable_by_key(|step| step.key);
        let mut lifecycle = self.days.first().map(|d| d.before).unwrap_or_default();
        let first = self.days.first().map(|d| d.day);
        // The marks of the days: the machine before the first event of the day or a later one.
        let mut marks: BTreeMap<PartitionDay, Lifecycle> = BTreeMap::new();
        for Step { key, day, input } in steps {
            if first.is_some_and(|first| day < first) {
                continue;
            }
            marks.entry(day).or_insert(lifecycle);
            if let Some(input) = input {
                lifecycle.step(key, input);
            }
        }
        for entry in &mut self.days {
            if let Some(mark) = marks.get(&entry.day) {
                entry.before = *mark;
            }
        }
        self.lifecycle = lifecycle;
        self.stale = false;
    }

    /// Applies what is known to have changed in the newest message.
    pub fn amend(&mut self, amendments: &Amendments) {
        let Some(last) = &mut self.last_message else { return };
        if let Some(amended) = amendments.of(last.key.id) {
            amended.apply_to_last(last);
        }
    }

    /// Takes away what no answer may show any more: content and names older than `cut`, days that lie wholly before
    /// it. Returns false once nothing of the conversation is retained.
    pub fn expire(&mut self, cut: Millis) -> bool {
        self.expire_days(cut);
        if self.last_message.as_ref().is_some_and(|m| m.key.at < cut) {
            self.last_message = None;
        }
        if self.name.as_ref().is_some_and(|(key, _)| key.at < cut) {
            self.name = None;
        }
        self.customer_at.retain(|at| *at >= cut);
        if self.last_activity_at.is_some_and(|at| at < cut) {
            self.last_activity_at = None;
        }
        !self.days.is_empty()
    }

    /// Drops the days whose events all lie before the cut. A day's last events may lie a little after its end, see
    /// [`FUTURE_TOLERANCE`].
    fn expire_days(&mut self, cut: Millis) {
        self.days.retain(|d| d.day.end() + FUTURE_TOLERANCE > cut);
    }

    /// The day whose files hold the row: that of the newest message, so that its content goes with its day; where
    /// there is none, the newest day.
    pub fn home_day(&self) -> Option<PartitionDay> {
        self.last_message.as_ref().map(|m| m.day).or_else(|| self.days.last().map(|d| d.day))
    }
}

impl LastMessage {
    /// Its id.
    pub fn id(&self) -> EventId {
        self.key.id
    }
}

/// What the lifecycle needs of an event: a few bytes, whatever the event holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    key: OrderKey,
    day: PartitionDay,
    input: Option<Input>,
}

impl Step {
    /// Of an event.
    pub fn of(event: &Event) -> Self {
        Self { key: event.order_key(), day: event.partition_day(), input: Input::of(event, snooze_end(event)) }
    }
}

fn snooze_end(event: &Event) -> Option<Millis> {
    if event.kind == Kind::Snooze {
        serde_json::from_str::<ActionDetails>(&event.details).unwrap_or_default().until
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
