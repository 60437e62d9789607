//! Events, written shortly.
use schemas::{
    event::{Amends, Author, Change, Contact, Event, Message},
    ids::{ConnectionId, ContactId, ConversationId, EventId},
    kind::{AuthorKind, Kind, MessageType, Platform, Source},
    time::Millis,
};

pub const CONNECTION: ConnectionId = ConnectionId([7; 16]);

pub fn id(n: u32) -> EventId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    EventId(bytes)
}

pub fn conversation(n: u32) -> ConversationId {
    ConversationId(id(n).0)
}

/// An event of a conversation at an instant, received then.
pub fn event(n: u32, of: u32, at: Millis, kind: Kind, details: &str) -> Event {
    Event {
        id: id(n),
        kind,
        source: Source::Webhooks,
        connection: CONNECTION,
        platform: Platform::Line,
        conversation: Some(conversation(of)),
        contact: Some(Contact { id: ContactId(id(of).0), name: Some(format!("contact {of}")) }),
        author: None,
        event_at: at,
        claimed_at: None,
        received_at: at,
        seq: 0,
        message: None,
        amends: None,
        details: details.into(),
    }
}

fn message(n: u32, of: u32, at: Millis, kind: AuthorKind) -> Event {
    Event {
        author: Some(Author { kind, member: None, contact: None, name: None }),
        message: Some(Message {
            platform_id: format!("m{n}"),
            kind: MessageType::Text,
            text: Some(format!("text {n}")),
            attachments: Vec::new(),
            reply_to: None,
        }),
        ..event(n, of, at, Kind::Message, "{}")
    }
}

/// A customer's message.
pub fn customer(n: u32, of: u32, at: Millis) -> Event {
    message(n, of, at, AuthorKind::Customer)
}

/// A message by a person of the business.
pub fn agent(n: u32, of: u32, at: Millis) -> Event {
    message(n, of, at, AuthorKind::Agent)
}

/// An amendment of message `of_message`.
pub fn amend(n: u32, of: u32, at: Millis, of_message: u32, change: Change) -> Event {
    let kind = match change {
        Change::Edit { .. } => Kind::Edit,
        Change::Unsend => Kind::Unsend,
        Change::Author { .. } => Kind::AuthorAmendment,
    };
    Event { amends: Some(Amends { message: id(of_message), change }), ..event(n, of, at, kind, "{}") }
}

pub fn edit(text: &str, order: i64) -> Change {
    Change::Edit { text: Some(text.into()), order }
}

pub fn after(at: Millis, seconds: i64) -> Millis {
    Millis(at.0 + seconds * 1000)
}
