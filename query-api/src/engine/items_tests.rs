use super::*;
use schemas::{
    event::{Amends, Event, Message},
    ids::{ConnectionId, EventId},
    kind::{Kind, MessageType, Platform, Source},
    log::Offset,
};

fn row(kind: AuthorKind) -> EventRow {
    let event = Event {
        id: EventId([1; 16]),
        kind: Kind::Message,
        source: Source::Webhooks,
        connection: ConnectionId([2; 16]),
        platform: Platform::Line,
        conversation: Some(ConversationId([3; 16])),
        contact: None,
        author: Some(Author { kind, member: None, contact: None, name: Some("Ann".into()) }),
        event_at: Millis(1000),
        claimed_at: None,
        received_at: Millis(2000),
        seq: 0,
        message: Some(Message {
            platform_id: "p".into(),
            kind: MessageType::Text,
            text: Some("hello".into()),
            attachments: vec![Attachment { kind: MessageType::Image, url: None, media: Some("k".into()) }],
            reply_to: None,
        }),
        amends: None,
        details: r#"{"quoteToken":"q"}"#.into(),
    };
    EventRow::new(Offset(5), event)
}

#[test]
fn a_customer_writes_in_and_everybody_else_out() {
    for kind in AuthorKind::ALL {
        let item = message(&row(*kind)).expect("a message");
        assert_eq!(item.direction, if *kind == AuthorKind::Customer { "in" } else { "out" });
    }
}

#[test]
fn what_was_taken_back_shows_neither_text_nor_attachments() {
    let mut row = row(AuthorKind::Customer);
    row.unsent_at = Some(Millis(3000));
    let item = message(&row).expect("a message");
    assert_eq!((item.text, item.attachments.len(), item.unsent_at), (None, 0, Some(Millis(3000))));
    assert_eq!(event(&row).body["text"], Value::Null);
    assert_eq!(event(&row).body["attachments"], json!([]));
}

#[test]
fn the_body_of_an_event_is_an_object_whatever_it_is() {
    let body = event(&row(AuthorKind::Agent)).body;
    assert_eq!((&body["text"], &body["details"]["quoteToken"]), (&json!("hello"), &json!("q")));
    assert_eq!(body["attachments"], json!([{"type": "image", "media": "k"}]));

    let mut edit = row(AuthorKind::Agent);
    edit.event.message = None;
    edit.event.kind = Kind::Edit;
    edit.event.details = "{}".into();
    let change = Change::Edit { text: Some("new".into()), order: 1 };
    edit.event.amends = Some(Amends { message: EventId([9; 16]), change });
    assert_eq!(event(&edit).body, json!({"message": EventId([9; 16]).to_string(), "text": "new"}));
    assert_eq!(message(&edit), None);

    let mut other = row(AuthorKind::System);
    (other.event.message, other.event.kind, other.event.details) = (None, Kind::Follow, "not json".into());
    assert_eq!(event(&other).body, json!({}));
}
