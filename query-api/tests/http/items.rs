//! Items that the fake engine has.
use query_api::engine::types::{AuthorItem, ContactItem, ConversationItem, EventItem, MessageItem, ShownStatus};
use schemas::{
    ids::{ConnectionId, ContactId, ConversationId, EventId},
    kind::{AuthorKind, Kind, MessageType, Platform},
    log::Offset,
    time::Millis,
};

pub fn conversation(n: u8, connection: ConnectionId) -> ConversationItem {
    let id = ConversationId([n; 16]);
    ConversationItem {
        id,
        platform: Platform::Line,
        connection,
        contact: Some(ContactItem { id: ContactId([n; 16]), name: Some(format!("Somchai {n}")) }),
        status: if n.is_multiple_of(2) { ShownStatus::Open } else { ShownStatus::Closed },
        unread: usize::from(n % 3),
        last_activity_at: Some(Millis(1_000_000 + i64::from(n))),
        last_message: Some(message(n, id)),
        assignee: (n.is_multiple_of(2)).then(|| "alice".to_owned()),
        team: None,
        tags: vec!["vip".to_owned()],
        message_count: 9,
    }
}

pub fn message(n: u8, conversation: ConversationId) -> MessageItem {
    MessageItem {
        id: EventId([n; 16]),
        conversation,
        platform_message_id: format!("m{n}"),
        direction: "in",
        author: Some(AuthorItem { kind: AuthorKind::Customer, member: None, name: None, contact: None }),
        kind: MessageType::Text,
        text: Some(format!("สวัสดี\n{n}")),
        attachments: Vec::new(),
        event_at: Millis(1_000_000 + i64::from(n)),
        received_at: Millis(1_000_100 + i64::from(n)),
        edited_at: None,
        unsent_at: None,
        reply_to: None,
    }
}

pub fn event(n: u8, connection: ConnectionId) -> EventItem {
    EventItem {
        id: EventId([n; 16]),
        kind: Kind::Follow,
        conversation: None,
        connection,
        event_at: Millis(1),
        received_at: Millis(2),
        body: serde_json::json!({"n": n}),
        offset: Offset(u64::from(n) * 10),
    }
}
