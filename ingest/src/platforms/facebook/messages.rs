//! Messages, echoes and postbacks (`facebook.md` §3.1-3.3).
use super::{AppIds, attachments, events::Common};
use crate::platforms::{
    Context, Unreadable,
    json::{Object, Wrong, plain_map},
};
use schemas::{
    event::{Event, Message},
    kind::{AuthorKind, Kind, MessageType},
};
use serde_json::Value;

/// A message from the person, or the echo of one to them.
pub(super) fn message(
    mut message: Object,
    mut common: Common,
    apps: &AppIds,
    cx: &Context<'_>,
) -> Result<Event, Unreadable> {
    common.require_person()?;
    let mid = message.take_id("mid")?.ok_or(Wrong)?;
    let is_echo = message.take_bool("is_echo")?.unwrap_or(false) || common.from_page;
    let app = message.take_id("app_id")?;
    let author = match (is_echo, apps.is_human(app.as_deref())) {
        (false, _) => AuthorKind::Customer,
        // Our own app too, as long as no record of ours says who wrote it (`contract.md`, "Webhooks").
        (true, true) => AuthorKind::AgentExternal,
        (true, false) => AuthorKind::Bot,
    };
    if let Some(app) = app {
        common.details.insert("app_id".into(), app.into());
    }
    let text = message.take_text("text")?;
    let read = attachments::read(message.take_array("attachments")?)?;
    let kind = match (&text, read.attachments.first()) {
        (Some(text), Some(first)) if text.is_empty() => first.kind,
        (Some(_), _) => MessageType::Text,
        (None, Some(first)) => first.kind,
        (None, None) => MessageType::Unsupported,
    };
    let text = text.filter(|text| !text.is_empty() || read.attachments.is_empty());
    let mut answers = message.take_object("reply_to")?.unwrap_or_default();
    let reply_to = answers.take_id("mid")?.map(|mid| cx.ids.message(cx.connection, mid.as_bytes()));
    if !answers.0.is_empty() {
        message.0.insert("reply_to".into(), answers.0.into());
    }
    if !read.details.is_empty() {
        common.details.insert("attachments".into(), Value::Array(read.details));
    }
    common.details.extend(plain_map(message.0));
    let id = cx.ids.message(cx.connection, mid.as_bytes());
    let mut event = common.finish(cx, id, Kind::Message, Some(author));
    event.message = Some(Message { platform_id: mid, kind, text, attachments: read.attachments, reply_to });
    Ok(event)
}

/// A tapped button: a message of the customer, whose text is the button's title.
pub(super) fn postback(mut postback: Object, mut common: Common, cx: &Context<'_>) -> Result<Event, Unreadable> {
    let person = common.require_person()?.to_owned();
    let text = postback.take_text("title")?;
    let mid = postback.take_id("mid")?;
    let id = match &mid {
        Some(mid) => cx.ids.message(cx.connection, mid.as_bytes()),
        None => {
            let at = common.at.map_or(0, |at| at.0);
            let payload = postback.0.get("payload").and_then(Value::as_str).unwrap_or_default();
            cx.ids.event(cx.connection, format!("postback|{person}|{at}|{payload}").as_bytes())
        }
    };
    common.details.insert("postback".into(), Value::Object(plain_map(postback.0)));
    let mut event = common.finish(cx, id, Kind::Message, Some(AuthorKind::Customer));
    event.message = Some(Message {
        platform_id: mid.unwrap_or_else(|| id.to_string()),
        kind: MessageType::Postback,
        text,
        attachments: Vec::new(),
        reply_to: None,
    });
    Ok(event)
}
