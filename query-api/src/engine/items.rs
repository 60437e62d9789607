//! From rows and states to what is shown. Pure.
use super::types::{AttachmentItem, AuthorItem, ContactItem, ConversationItem, EventItem, MessageItem, ShownStatus};
use schemas::{
    amendment::Amendments,
    columns::EventRow,
    conversation::{
        ConversationState, LastMessage,
        lifecycle::{Lifecycle, Status},
    },
    event::{Attachment, Author, Change},
    ids::ConversationId,
    kind::AuthorKind,
    time::Millis,
};
use serde_json::{Map, Value, json};

/// The status at an instant: a snooze that has ended is open.
pub(super) fn status_at(lifecycle: &Lifecycle, now: Millis) -> ShownStatus {
    match lifecycle.status {
        Status::None | Status::Closed { .. } => ShownStatus::Closed,
        Status::Open => ShownStatus::Open,
        Status::Snoozed { until: Some(until) } if until <= now => ShownStatus::Open,
        Status::Snoozed { .. } => ShownStatus::Snoozed,
    }
}

fn author_item(author: &Author) -> AuthorItem {
    AuthorItem { kind: author.kind, member: author.member.clone(), name: author.name.clone(), contact: author.contact }
}

fn direction(author: Option<&Author>) -> &'static str {
    if author.is_some_and(|a| a.kind == AuthorKind::Customer) { "in" } else { "out" }
}

fn attachments(list: &[Attachment]) -> Vec<AttachmentItem> {
    list.iter().map(|a| AttachmentItem { kind: a.kind, url: a.url.clone(), media: a.media.clone() }).collect()
}

/// A message's row, amended already, as shown; `None` for rows that are no message of a conversation.
pub(super) fn message(row: &EventRow) -> Option<MessageItem> {
    let event = &row.event;
    let (message, conversation) = (event.message.as_ref()?, event.conversation?);
    let unsent = row.unsent_at.is_some();
    Some(MessageItem {
        id: event.id,
        conversation,
        platform_message_id: message.platform_id.clone(),
        direction: direction(event.author.as_ref()),
        author: event.author.as_ref().map(author_item),
        kind: message.kind,
        text: if unsent { None } else { message.text.clone() },
        attachments: if unsent { Vec::new() } else { attachments(&message.attachments) },
        event_at: event.event_at,
        received_at: event.received_at,
        edited_at: row.edited_at,
        unsent_at: row.unsent_at,
        reply_to: message.reply_to,
    })
}

/// The newest message of a conversation, with all amendments that are known.
pub(super) fn last_message(conversation: ConversationId, last: &LastMessage, amendments: &Amendments) -> MessageItem {
    let mut last = last.clone();
    if let Some(amended) = amendments.of(last.key.id) {
        amended.apply_to_last(&mut last);
    }
    let unsent = last.unsent_at.is_some();
    MessageItem {
        id: last.key.id,
        conversation,
        platform_message_id: last.message.platform_id,
        direction: direction(last.author.as_ref()),
        author: last.author.as_ref().map(author_item),
        kind: last.message.kind,
        text: if unsent { None } else { last.message.text },
        attachments: if unsent { Vec::new() } else { attachments(&last.message.attachments) },
        event_at: last.key.at,
        received_at: last.received_at,
        edited_at: last.edited_at,
        unsent_at: last.unsent_at,
        reply_to: last.message.reply_to,
    }
}

/// A conversation as shown at `now`, without what is older than `cut`.
pub(super) fn conversation(
    state: &ConversationState,
    amendments: &Amendments,
    now: Millis,
    cut: Millis,
    message_count: u64,
) -> ConversationItem {
    let name = state.name.as_ref().filter(|(key, _)| key.at >= cut).map(|(_, name)| name.clone());
    let last = state.last_message.as_ref().filter(|last| last.key.at >= cut);
    ConversationItem {
        id: state.conversation,
        platform: state.platform,
        connection: state.connection,
        contact: state.contact.map(|id| ContactItem { id, name }),
        status: status_at(&state.lifecycle, now),
        unread: state.unread(cut),
        last_activity_at: state.last_activity_at.filter(|at| *at >= cut),
        last_message: last.map(|last| last_message(state.conversation, last, amendments)),
        assignee: state.assigned.as_ref().and_then(|a| a.agent.clone()),
        team: state.assigned.as_ref().and_then(|a| a.team.clone()),
        tags: state.tags().map(str::to_owned).collect(),
        message_count,
    }
}

/// An event's row, amended already, as shown.
pub(super) fn event(row: &EventRow) -> EventItem {
    let event = &row.event;
    EventItem {
        id: event.id,
        kind: event.kind,
        conversation: event.conversation,
        connection: event.connection,
        event_at: event.event_at,
        received_at: event.received_at,
        body: body(row),
        offset: row.offset,
    }
}

/// What the platform or the member said, an object whatever was stored.
fn details(row: &EventRow) -> Map<String, Value> {
    serde_json::from_str(&row.event.details).unwrap_or_default()
}

fn body(row: &EventRow) -> Value {
    let event = &row.event;
    if let Some(message) = &event.message {
        let unsent = row.unsent_at.is_some();
        let contact = event.contact.as_ref().map(|c| json!({"id": c.id, "name": c.name}));
        return json!({
            "platform_message_id": message.platform_id,
            "direction": direction(event.author.as_ref()),
            "author": event.author.as_ref().map(author_item),
            "contact": contact,
            "type": message.kind,
            "text": if unsent { None } else { message.text.as_deref() },
            "attachments": if unsent { Vec::new() } else { attachments(&message.attachments) },
            "reply_to": message.reply_to,
            "edited_at": row.edited_at,
            "unsent_at": row.unsent_at,
            "details": details(row),
        });
    }
    let mut body = details(row);
    if let Some(amends) = &event.amends {
        body.insert("message".into(), json!(amends.message));
        match &amends.change {
            Change::Edit { text, .. } => drop(body.insert("text".into(), json!(text))),
            Change::Author { member } => drop(body.insert("member".into(), json!(member))),
            Change::Unsend => {}
        }
    }
    Value::Object(body)
}

#[cfg(test)]
#[path = "items_tests.rs"]
mod tests;
