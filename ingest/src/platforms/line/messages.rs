//! Messages of `line.md` §3.1 and postbacks of §3.5, which are messages too (`contract.md`, "Webhooks").
use super::events::Common;
use crate::platforms::{
    Context, Unreadable,
    json::{Object, Wrong},
};
use schemas::{
    event::{Attachment, Event, Message},
    kind::{Kind, MessageType},
};

/// A message of any type; one that is not known is `unsupported`, with LINE's word for it in the details.
pub(super) fn message(mut fields: Object, mut common: Common, cx: &Context<'_>) -> Result<Event, Unreadable> {
    common.require_chat()?;
    let mut message = fields.take_object("message")?.ok_or(Wrong)?;
    let id = message.take_id("id")?.ok_or(Wrong)?;
    let word = message.take_text("type")?.ok_or(Wrong)?;
    let kind = match word.as_str() {
        "text" => MessageType::Text,
        "image" => MessageType::Image,
        "video" => MessageType::Video,
        "audio" => MessageType::Audio,
        "file" => MessageType::File,
        "location" => MessageType::Location,
        "sticker" => MessageType::Sticker,
        _ => {
            common.details.insert("platform_type".into(), word.into());
            MessageType::Unsupported
        }
    };
    let text = match kind {
        MessageType::Text => Some(message.take_text("text")?.ok_or(Wrong)?),
        // Message stickers say something; other types have no text of their own.
        MessageType::Sticker => message.take_text("text")?,
        _ => None,
    };
    let attachments = match kind {
        MessageType::Image | MessageType::Video | MessageType::Audio | MessageType::File => {
            vec![media(kind, &id, &mut message)?]
        }
        _ => Vec::new(),
    };
    let quoted = message.take_id("quotedMessageId")?;
    // A random choice per event (`line.md` §3.1): copies would differ.
    message.take("keywords");
    fields.0.extend(message.0);
    let mut event = common.finish(cx, Kind::Message, fields);
    event.id = cx.ids.message(cx.connection, id.as_bytes());
    event.message = Some(Message {
        platform_id: id,
        kind,
        text,
        attachments,
        reply_to: quoted.map(|quoted| cx.ids.message(cx.connection, quoted.as_bytes())),
    });
    Ok(event)
}

/// By URL where somebody else hosts it, else by the message id, under which LINE hands it out.
fn media(kind: MessageType, id: &str, message: &mut Object) -> Result<Attachment, Unreadable> {
    let mut provider = message.take_object("contentProvider")?.unwrap_or_default();
    let external = provider.take_text("type")?.is_some_and(|word| word == "external");
    let url = if external { provider.take_text("originalContentUrl")? } else { None };
    if let Some(preview) = provider.take("previewImageUrl") {
        message.0.insert("previewImageUrl".into(), preview);
    }
    Ok(Attachment { kind, media: (!external).then(|| id.to_owned()), url })
}

/// A tapped button. LINE gives it no message id; its event id stands for one. The switch of a rich menu comes in the
/// same clothes and is no message.
pub(super) fn postback(mut fields: Object, common: Common, cx: &Context<'_>) -> Result<Event, Unreadable> {
    let mut postback = fields.take_object("postback")?.ok_or(Wrong)?;
    let params = postback.take_object("params")?.unwrap_or_default();
    let is_menu = params.0.contains_key("newRichMenuAliasId");
    if !is_menu {
        common.require_chat()?;
    }
    if !params.0.is_empty() {
        postback.0.insert("params".into(), params.0.into());
    }
    fields.0.insert("postback".into(), postback.0.into());
    let key = common.key.clone();
    let mut event = common.finish(cx, if is_menu { Kind::RichMenuSwitch } else { Kind::Message }, fields);
    if !is_menu {
        event.id = cx.ids.message(cx.connection, key.as_bytes());
        event.message = Some(Message {
            platform_id: if key.starts_with('{') { event.id.to_string() } else { key },
            kind: MessageType::Postback,
            text: None,
            attachments: Vec::new(),
            reply_to: None,
        });
    }
    Ok(event)
}
