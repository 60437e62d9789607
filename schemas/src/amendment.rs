//! Edits, unsends and author corrections, applied in every read until `compact` has folded them into the rows.
//! Merging commutes: whatever order amendments come in, also before what they amend, the outcome is the same.
use crate::{
    columns::EventRow,
    conversation::LastMessage,
    event::{Amends, Author, Change, Event, OrderKey},
    ids::{ConversationId, EventId},
    kind::{AuthorKind, Kind},
    time::Millis,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The newest edit of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewestEdit {
    /// The platform's counter or instant; first in the comparison.
    pub order: i64,
    /// The edit event's own place; second.
    pub key: OrderKey,
    /// The text it gives.
    pub text: Option<String>,
}

impl NewestEdit {
    /// Decides which of several edits holds. Rows keep the same three of the edit that is folded into them.
    fn rank(&self) -> (Option<i64>, Option<Millis>, Option<EventId>) {
        (Some(self.order), Some(self.key.at), Some(self.key.id))
    }
}

impl EventId {
    /// The id of the author amendment of this message. There is one for each message, so that a copy that comes again
    /// makes the same one.
    pub fn of_author_amendment(self) -> Self {
        // Ids are pseudorandom: turned over by a constant they are others, each its own.
        const TURN: [u8; 16] = *b"author amendment";
        Self(std::array::from_fn(|at| self.0[at] ^ TURN[at]))
    }
}

/// The author amendment that a later copy of a message leaves: the member whom the copy names, and nothing of its
/// content. It lies at the message's own time `at` and in its `conversation`, so that it lives exactly as long.
/// `None` when the copy names nobody.
pub fn of_author(copy: &Event, at: Millis, conversation: Option<ConversationId>) -> Option<Event> {
    let author = copy.author.as_ref().filter(|_| copy.is_human_reply())?;
    let member = author.member.clone()?;
    Some(Event {
        id: copy.id.of_author_amendment(),
        kind: Kind::AuthorAmendment,
        source: copy.source,
        connection: copy.connection,
        platform: copy.platform,
        conversation,
        contact: None,
        author: Some(Author { kind: AuthorKind::Agent, member: None, contact: None, name: None }),
        event_at: at,
        claimed_at: None,
        received_at: copy.received_at,
        seq: 0,
        message: None,
        amends: Some(Amends { message: copy.id, change: Change::Author { member } }),
        details: "{}".into(),
    })
}

/// All that is known to have changed in one message.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Amended {
    /// The edit that holds.
    pub edit: Option<NewestEdit>,
    /// When it was taken back.
    pub unsent_at: Option<Millis>,
    /// Who wrote it, from a later copy.
    pub member: Option<String>,
}

impl Amended {
    /// Takes one more amendment of the same message.
    pub fn merge(&mut self, event: &Event) {
        let Some(amends) = &event.amends else { return };
        match &amends.change {
            Change::Edit { text, order } => {
                let edit = NewestEdit { order: *order, key: event.order_key(), text: text.clone() };
                if self.edit.as_ref().is_none_or(|held| held.rank() < edit.rank()) {
                    self.edit = Some(edit);
                }
            }
            Change::Unsend => {
                self.unsent_at = Some(self.unsent_at.map_or(event.event_at, |at| at.min(event.event_at)));
            }
            Change::Author { member } => {
                // Two copies that name different members: the smaller name, so that order does not matter.
                if self.member.as_ref().is_none_or(|held| member < held) {
                    self.member = Some(member.clone());
                }
            }
        }
    }

    /// Says who wrote it, where the first copy did not.
    fn name_author(&self, author: Option<&mut Author>) {
        if let (Some(member), Some(author)) = (&self.member, author)
            && author.member.is_none()
        {
            author.member = Some(member.clone());
            if author.kind == AuthorKind::AgentExternal {
                author.kind = AuthorKind::Agent;
            }
        }
    }

    /// Changes the newest message of a conversation's state, as [`Self::apply`] changes its row.
    pub fn apply_to_last(&self, last: &mut LastMessage) {
        if let Some(edit) = &self.edit
            && (last.edit_order, last.edited_at, last.edited_by) < edit.rank()
        {
            last.message.text.clone_from(&edit.text);
            (last.edit_order, last.edited_at, last.edited_by) = edit.rank();
        }
        self.name_author(last.author.as_mut());
        if let Some(at) = self.unsent_at {
            last.unsent_at = Some(last.unsent_at.map_or(at, |held| held.min(at)));
        }
        if last.unsent_at.is_some() {
            last.message.text = None;
            last.message.attachments.clear();
        }
    }

    /// Changes a message's row. Applying twice is applying once.
    pub fn apply(&self, row: &mut EventRow) {
        let Some(message) = &mut row.event.message else { return };
        if let Some(edit) = &self.edit
            && (row.edit_order, row.edited_at, row.edited_by) < edit.rank()
        {
            message.text.clone_from(&edit.text);
            (row.edit_order, row.edited_at, row.edited_by) = edit.rank();
        }
        self.name_author(row.event.author.as_mut());
        if let Some(at) = self.unsent_at {
            row.unsent_at = Some(row.unsent_at.map_or(at, |held| held.min(at)));
        }
        if row.unsent_at.is_some() {
            row.blank();
        }
    }
}

/// The amendments of a workspace that are not folded into its files yet, by the message they change.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Amendments(HashMap<EventId, Amended>);

impl Amendments {
    /// Takes an event; anything but an amendment changes nothing. Returns the message it changes.
    pub fn add(&mut self, event: &Event) -> Option<EventId> {
        let target = event.amends.as_ref()?.message;
        self.0.entry(target).or_default().merge(event);
        Some(target)
    }

    /// What is known of one message.
    pub fn of(&self, message: EventId) -> Option<&Amended> {
        self.0.get(&message)
    }

    /// Changes a row as far as amendments speak of it: a message by its own id; an edit's own row loses its text
    /// once the message was unsent or a newer edit holds.
    pub fn apply(&self, row: &mut EventRow) {
        if self.0.is_empty() {
            return;
        }
        if let Some(amends) = &row.event.amends {
            if let Some(amended) = self.0.get(&amends.message)
                && matches!(amends.change, Change::Edit { .. })
                && (amended.unsent_at.is_some()
                    || amended.edit.as_ref().is_some_and(|e| e.key != row.event.order_key()))
            {
                row.blank();
            }
        } else if let Some(amended) = self.0.get(&row.event.id) {
            amended.apply(row);
        }
    }

    /// How many messages have amendments.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each amended message.
    pub fn iter(&self) -> impl Iterator<Item = (&EventId, &Amended)> {
        self.0.iter()
    }
}
