//! What the engine is asked and what it answers: the items of `contract.md`, as they are written in JSON.
use schemas::{
    ids::{ConnectionId, ContactId, ConversationId, EventId},
    kind::{AuthorKind, Kind, MessageType, Platform, Source},
    log::Offset,
    time::Millis,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Which conversations of the inbox are meant. Every condition given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InboxFilter {
    /// Shown status.
    pub status: Option<ShownStatus>,
    /// Of this platform.
    pub platform: Option<Platform>,
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// With (`true`) or without (`false`) unread messages.
    pub unread: Option<bool>,
    /// Assigned to this agent, or to nobody.
    pub assignee: Option<AssigneeFilter>,
}

/// Whose conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum AssigneeFilter {
    /// `assignee=none`.
    Nobody,
    /// `assignee=<member>`.
    Agent(String),
}

/// The status as the API shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownStatus {
    /// An episode is open.
    Open,
    /// Open, and put aside.
    Snoozed,
    /// The last episode is closed, or there is none.
    Closed,
}

/// Place in the inbox, newest activity first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub struct InboxPlace {
    /// Newest activity of the conversation, or its newest day's start where it has none.
    pub at: Millis,
    /// The conversation.
    pub conversation: ConversationId,
}

/// Place of a message in its conversation.
pub type MessagePlace = schemas::event::OrderKey;

/// In which direction a list is walked from a place; the place itself is not in the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum Walk<P> {
    /// From the beginning of the order asked for.
    Start,
    /// What follows the place in the order asked for.
    After(P),
    /// What comes before the place, the nearest ones, still in the order asked for.
    Before(P),
}

/// Newest or oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Newest first.
    Newest,
    /// Oldest first.
    Oldest,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page<T, P> {
    /// Its items, in the order asked for.
    pub items: Vec<T>,
    /// The place of the last item, when more follow it.
    pub next: Option<P>,
    /// The place of the first item, when some come before it.
    pub prev: Option<P>,
}

/// A contact as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ContactItem {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ContactId,
    /// Its newest name, if one is known.
    pub name: Option<String>,
}

/// A conversation as shown.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ConversationItem {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ConversationId,
    /// The connection's platform.
    #[schema(value_type = String)]
    pub platform: Platform,
    /// The connection.
    #[schema(value_type = String)]
    pub connection: ConnectionId,
    /// The contact.
    pub contact: Option<ContactItem>,
    /// `open`, `snoozed` or `closed`.
    #[schema(value_type = String)]
    pub status: ShownStatus,
    /// Unread customer messages, at most 100.
    pub unread: usize,
    /// Newest message or member action.
    #[schema(value_type = Option<String>)]
    pub last_activity_at: Option<Millis>,
    /// The newest message.
    pub last_message: Option<MessageItem>,
    /// Who it is assigned to.
    pub assignee: Option<String>,
    /// The team it is assigned to.
    pub team: Option<String>,
    /// Tags that are set.
    pub tags: Vec<String>,
    /// Retained messages.
    pub message_count: u64,
}

/// Who wrote, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AuthorItem {
    /// Author kind.
    #[schema(value_type = String)]
    pub kind: AuthorKind,
    /// The member, where known.
    pub member: Option<String>,
    /// The name, where known.
    pub name: Option<String>,
    /// The contact who wrote, in a group not the conversation's contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub contact: Option<ContactId>,
}

/// An attachment as shown: a URL or a media key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AttachmentItem {
    /// What it is.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: MessageType,
    /// Where it can be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The platform's key of the media.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
}

/// A message as shown, as amended.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MessageItem {
    /// Its id.
    #[schema(value_type = String)]
    pub id: EventId,
    /// Its conversation.
    #[schema(value_type = String)]
    pub conversation: ConversationId,
    /// The platform's id of it.
    pub platform_message_id: String,
    /// `in` from the contact, `out` from the business.
    #[schema(value_type = String)]
    pub direction: &'static str,
    /// Who wrote it.
    pub author: Option<AuthorItem>,
    /// What it is.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: MessageType,
    /// Its newest text; null when unsent.
    pub text: Option<String>,
    /// What hangs on it; empty when unsent.
    pub attachments: Vec<AttachmentItem>,
    /// When it happened.
    #[schema(value_type = String)]
    pub event_at: Millis,
    /// When it was received.
    #[schema(value_type = String)]
    pub received_at: Millis,
    /// When it was last edited.
    #[schema(value_type = Option<String>)]
    pub edited_at: Option<Millis>,
    /// When it was taken back.
    #[schema(value_type = Option<String>)]
    pub unsent_at: Option<Millis>,
    /// The message it answers.
    #[schema(value_type = Option<String>)]
    pub reply_to: Option<EventId>,
}

/// An event as shown, body as amended.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct EventItem {
    /// Its id.
    #[schema(value_type = String)]
    pub id: EventId,
    /// What happened.
    #[schema(value_type = String)]
    pub kind: Kind,
    /// Its conversation, if it has one.
    #[schema(value_type = Option<String>)]
    pub conversation: Option<ConversationId>,
    /// Its connection.
    #[schema(value_type = String)]
    pub connection: ConnectionId,
    /// When it happened.
    #[schema(value_type = String)]
    pub event_at: Millis,
    /// When it was received.
    #[schema(value_type = String)]
    pub received_at: Millis,
    /// All else: for messages the fields of a message item and `details`; for others what the platform said.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
    /// Its place in the log; cursors are made of it.
    #[serde(skip)]
    pub offset: Offset,
}

/// Counts of an inbox, with the same filters as its list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// Conversations.
    pub total: u64,
    /// Those with unread messages.
    pub unread: u64,
    /// By shown status; every status is there.
    pub by_status: BTreeMap<&'static str, u64>,
    /// By platform.
    pub by_platform: BTreeMap<&'static str, u64>,
    /// By connection.
    pub by_connection: BTreeMap<String, u64>,
    /// By the member they are assigned to, members only.
    pub by_assignee: BTreeMap<String, u64>,
    /// Assigned to nobody, which the filter `assignee=none` finds. A field of its own: a member may be called `none`.
    pub unassigned: u64,
}

/// Up to when each source has been read; idle = now.
pub type CompleteThrough = BTreeMap<Source, Millis>;

/// Something that happened in a workspace, for the live stream.
#[derive(Clone, Debug)]
pub enum Change {
    /// A message that was not known before.
    MessageCreated(MessageItem),
    /// A message whose content changed, as it is now.
    MessageAmended(MessageItem),
    /// A conversation whose row in the inbox changed.
    ConversationChanged(ConversationItem),
}

/// Why the engine gives no answer, by what the caller does next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QueryError {
    /// No such thing in this workspace (404).
    #[error("not found")]
    NotFound,
    /// The position is of another log or slot (410 `position_unknown`).
    #[error("the position is not known")]
    PositionUnknown,
    /// The workspace's key is destroyed (410 `key_destroyed`).
    #[error("the key is destroyed")]
    KeyDestroyed,
    /// Not now (503): a store does not answer, or `min_position` was not reached in time.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Stored data does not verify (500 `integrity`); alert.
    #[error("integrity: {0}")]
    Integrity(String),
}
