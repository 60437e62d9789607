//! Events as ingest makes them and land stores them.
use crate::{
    ids::{ConnectionId, ContactId, ConversationId, EventId},
    kind::{AuthorKind, DeadLetterReason, IgnoredReason, Kind, MessageType, Platform, Source},
    partition::{PartitionDay, RetentionClass},
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// A claimed event time further ahead of the receive time than this is not believed (`DESIGN.md` §2): the event takes
/// its receive time and the claim is kept beside it.
pub const FUTURE_TOLERANCE: std::time::Duration = std::time::Duration::from_secs(600);

/// One fact from a platform or a member. Immutable: edits and unsends are events of their own.
///
/// Its texts are of type `T`: its own, or `&str` into the plaintext that it was read from ([`crate::wire::Payload`]).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event<T = String> {
    /// From the platform's own key, so that copies meet. The event that brings a message has the message's id.
    pub id: EventId,
    /// What happened.
    pub kind: Kind,
    /// By which way it came.
    pub source: Source,
    /// Of which connection it is.
    pub connection: ConnectionId,
    /// The connection's platform.
    pub platform: Platform,
    /// The conversation it belongs to, if any.
    pub conversation: Option<ConversationId>,
    /// The contact of that conversation.
    pub contact: Option<Contact<T>>,
    /// Who did it.
    pub author: Option<Author<T>>,
    /// When it happened according to the platform; the receive time where the claim lies in the future.
    pub event_at: Millis,
    /// What the platform claimed, where that was not believed; the receive time where it claimed none. Set, it says
    /// that `event_at` is not the platform's, so that a copy may have any other time.
    pub claimed_at: Option<Millis>,
    /// When it was received.
    pub received_at: Millis,
    /// Order within one millisecond, as the source gives it; 0 otherwise.
    pub seq: i64,
    /// The message, for kind `message` only.
    pub message: Option<Message<T>>,
    /// What it changes, for amendments only.
    pub amends: Option<Amends<T>>,
    /// What else the platform said: a JSON object, `{}` when nothing.
    pub details: T,
}

/// A customer of the workspace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contact<T = String> {
    /// Its id on this connection.
    pub id: ContactId,
    /// The name that the event carried.
    pub name: Option<T>,
}

/// Who did it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Author<T = String> {
    /// Which side, and whether a person.
    pub kind: AuthorKind,
    /// The member, for people of the business who are known.
    pub member: Option<T>,
    /// The contact, for customers; in a group the one who wrote.
    pub contact: Option<ContactId>,
    /// The name that the event carried.
    pub name: Option<T>,
}

/// The content of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message<T = String> {
    /// The platform's own id of it.
    pub platform_id: T,
    /// What it is.
    pub kind: MessageType,
    /// Its words, a postback's title.
    pub text: Option<T>,
    /// What hangs on it, in the platform's order.
    pub attachments: Vec<Attachment<T>>,
    /// The message it answers.
    pub reply_to: Option<EventId>,
}

/// Something that hangs on a message: by URL, or by a key under which the platform hands it out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attachment<T = String> {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// Where it can be fetched.
    pub url: Option<T>,
    /// The platform's key of the media.
    pub media: Option<T>,
}

/// What an amendment changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Amends<T = String> {
    /// The message that is changed.
    pub message: EventId,
    /// How.
    pub change: Change<T>,
}

/// The change of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change<T = String> {
    /// Another text. Of several edits the one with the greatest `(order, event time, event id)` holds.
    Edit {
        /// The new text.
        text: Option<T>,
        /// The platform's edit counter, else the edit's instant in milliseconds.
        order: i64,
    },
    /// The content goes. Final.
    Unsend,
    /// Who wrote it, where the first copy did not say.
    Author {
        /// The member who wrote it.
        member: T,
    },
}

impl<T> Event<T> {
    /// The UTC day whose files hold it.
    pub fn partition_day(&self) -> PartitionDay {
        PartitionDay::of(self.event_at, self.received_at)
    }

    /// How long it may live. LINE and Facebook have no cap of their own.
    pub fn retention_class(&self) -> RetentionClass {
        RetentionClass::STANDARD
    }

    /// The place of the event among those of its conversation (`metrics.md` §1).
    pub fn order_key(&self) -> OrderKey {
        OrderKey { at: self.event_at, seq: self.seq, id: self.id }
    }

    /// Sets the event time from the platform's claim: a claim more than [`FUTURE_TOLERANCE`] ahead is kept apart.
    pub fn set_claimed_time(&mut self, claimed: Millis) {
        if claimed > self.received_at + FUTURE_TOLERANCE {
            self.event_at = self.received_at;
            self.claimed_at = Some(claimed);
        } else {
            self.event_at = claimed;
            self.claimed_at = None;
        }
    }

    /// The platform gave no time: the next delivery of the event will have another.
    pub fn forget_claim(&mut self) {
        self.claimed_at = Some(self.event_at);
    }

    /// True when a customer wrote a message.
    pub fn is_customer_message(&self) -> bool {
        self.kind == Kind::Message && self.author.as_ref().is_some_and(|a| a.kind == AuthorKind::Customer)
    }

    /// True when a person of the business wrote a message.
    pub fn is_human_reply(&self) -> bool {
        self.kind == Kind::Message && self.author.as_ref().is_some_and(|a| a.kind.is_human_reply())
    }
}

/// Orders the events of one conversation: time, then the source's sequence, then the id so that ties are stable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct OrderKey {
    /// Event time.
    pub at: Millis,
    /// The source's sequence.
    pub seq: i64,
    /// Event id.
    pub id: EventId,
}

/// Something signed that could not be read: a body, or one element of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Raw {
    /// From the platform's event id, or from the bytes without redelivery marks.
    pub id: EventId,
    /// Of which connection; `None` in the workspace `system`.
    pub connection: Option<ConnectionId>,
    /// Of which platform.
    pub platform: Platform,
    /// When it was received. Dead letters know no other time.
    pub received_at: Millis,
    /// What is wrong with it.
    pub reason: DeadLetterReason,
    /// The bytes as received.
    pub bytes: Vec<u8>,
}

/// An event that was accepted and is only counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ignored {
    /// Why.
    pub reason: IgnoredReason,
    /// Of which platform.
    pub platform: Platform,
}
