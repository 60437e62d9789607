//! Events as changes of what the lists show, for the live stream.
use super::{
    fault::Fault,
    items,
    types::{Change, ConversationItem, MessageItem},
    view::View,
};
use records::Position;
use schemas::{columns::EventRow, ids::ConversationId, kind::Kind, log::Offset};
use std::collections::HashMap;

/// What folded events changed, once the days that the cut goes through are counted, each with the position after it: of each event its message, then, after the last event of
/// a conversation, the conversation.
pub(super) async fn of_rows(view: &View, rows: Vec<EventRow>) -> Result<Vec<(Position, Change)>, Fault> {
    let last: HashMap<ConversationId, Offset> =
        rows.iter().filter_map(|row| Some((row.event.conversation?, row.offset))).collect();
    let mut changes = Vec::new();
    for mut row in rows {
        let after = view.position(row.offset.next());
        let Some(id) = row.event.conversation else { continue };
        if row.event.kind == Kind::Message {
            view.amend(std::slice::from_mut(&mut row));
            changes.extend(items::message(&row).map(|item| (after, Change::MessageCreated(item))));
        } else if row.event.amends.is_some() {
            changes.extend(amended(view, id, &row).await?.map(|item| (after, Change::MessageAmended(item))));
        }
        if last.get(&id) == Some(&row.offset) {
            changes.extend(conversation(view, id)?.map(|item| (after, Change::ConversationChanged(item))));
        }
    }
    Ok(changes)
}

/// The message that an amendment speaks of, as it is now; `None` when it is not known or not retained.
async fn amended(view: &View, id: ConversationId, row: &EventRow) -> Result<Option<MessageItem>, Fault> {
    let Some(message) = row.event.amends.as_ref().map(|a| a.message) else { return Ok(None) };
    let (_, cut) = view.now_and_cut();
    let Some((state, thread)) = view.thread(id, cut)? else { return Ok(None) };
    // Most amendments follow their message at once.
    if let Some(last) = state.last_message.filter(|last| last.key.id == message && last.key.at >= cut) {
        return Ok(Some(items::last_message(id, &last, &view.state.read().amendments)));
    }
    Ok(view.message(&thread, message).await?.as_ref().and_then(items::message))
}

/// A conversation as the inbox shows it; `None` when it does not.
pub(super) fn conversation(view: &View, id: ConversationId) -> Result<Option<ConversationItem>, Fault> {
    let (now, cut) = view.now_and_cut();
    let state = view.state.read();
    let Some(conversation) = state.inbox.state(id)? else { return Ok(None) };
    let Some(newest) = conversation.days.last() else { return Ok(None) };
    let at = conversation.last_activity_at.unwrap_or_else(|| newest.day.start());
    if !state.cut_days.is_shown(id, at, newest.day, cut) {
        return Ok(None);
    }
    let messages = state.cut_days.message_count(&conversation, cut);
    Ok(Some(items::conversation(&conversation, &state.amendments, now, cut, messages)))
}
