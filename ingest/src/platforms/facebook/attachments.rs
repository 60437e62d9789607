//! What hangs on a message (`facebook.md` §3.1): a type and a payload, whose shape depends on the type.
use crate::platforms::{
    Unreadable,
    json::{Object, Wrong, plain},
};
use schemas::{event::Attachment, kind::MessageType};
use serde_json::Value;

/// Attachments, and what they said besides a URL.
pub(super) struct Read {
    pub attachments: Vec<Attachment>,
    /// As the platform wrote them, without the URLs; only those that say more, with their place.
    pub details: Vec<Value>,
}

/// Reads the list. Until August 2026 a sticker comes as an image and a sticker of one id: it is one.
pub(super) fn read(values: Vec<Value>) -> Result<Read, Unreadable> {
    let stickers: Vec<Value> = values.iter().filter(|v| v["type"] == "sticker").filter_map(sticker_id).collect();
    let is_double = |v: &Value| v["type"] == "image" && sticker_id(v).is_some_and(|id| stickers.contains(&id));
    let mut read = Read { attachments: Vec::new(), details: Vec::new() };
    for value in values.into_iter().filter(|v| !is_double(v)) {
        let is_sticker = sticker_id(&value).is_some();
        let Value::Object(fields) = value else { return Err(Unreadable::Wrong) };
        let mut fields = Object(fields);
        let word = fields.take_text("type")?.ok_or(Wrong)?;
        let kind = match word.as_str() {
            "image" if is_sticker => MessageType::Sticker,
            "image" => MessageType::Image,
            "video" => MessageType::Video,
            "audio" => MessageType::Audio,
            "file" => MessageType::File,
            "sticker" => MessageType::Sticker,
            "location" => MessageType::Location,
            "template" | "appointment_booking" => MessageType::Template,
            "fallback" | "share" | "reel" | "ig_reel" | "post" | "ig_post" => MessageType::Share,
            _ => MessageType::Unsupported,
        };
        let mut payload = fields.take_object("payload")?.unwrap_or_default();
        let url = payload.take_text("url")?.or(fields.take_text("url")?);
        if !payload.0.is_empty() {
            fields.0.insert("payload".into(), payload.0.into());
        }
        if !fields.0.is_empty() || kind == MessageType::Unsupported || kind == MessageType::Share {
            fields.0.insert("type".into(), word.into());
            fields.0.insert("index".into(), read.attachments.len().into());
            read.details.push(plain(Value::Object(fields.0)));
        }
        read.attachments.push(Attachment { kind, url, media: None });
    }
    Ok(read)
}

fn sticker_id(attachment: &Value) -> Option<Value> {
    attachment.get("payload")?.get("sticker_id").filter(|id| !id.is_null()).cloned()
}
