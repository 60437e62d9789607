//! What the tests share: fixtures, ids that can be read back, and one line of text per parsed element.
#![allow(dead_code, missing_docs, reason = "each test file uses a part of it")]
use ingest::platforms::{Body, Connector, Context, Element, Ids, Parsed, dead_letter};
use schemas::{ids::*, kind::*, time::Millis};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::Mutex,
};

pub const CONNECTION: ConnectionId = ConnectionId([7; 16]);
pub const RECEIVED: Millis = Millis(1_773_900_000_000);
pub const PAGE: &str = "104857600123456";

pub fn fixture_dir(platform: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(platform)
}

pub fn fixture(platform: &str, name: &str) -> Vec<u8> {
    let path = fixture_dir(platform).join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every fixture of a platform, by name.
pub fn fixtures(platform: &str) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(fixture_dir(platform))
        .expect("fixtures")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("utf-8"))
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    names
}

/// Ids that remember the key they were made of.
#[derive(Default)]
pub struct ReadableIds(Mutex<HashMap<[u8; 16], String>>);

impl ReadableIds {
    fn make(&self, kind: &str, connection: ConnectionId, key: &[u8]) -> [u8; 16] {
        let mut id = [0; 16];
        for (half, salt) in id.chunks_exact_mut(8).zip([1u8, 2]) {
            let mut hasher = DefaultHasher::new();
            (salt, kind, connection.0, key).hash(&mut hasher);
            half.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        let text = format!("{kind}:{}", String::from_utf8_lossy(key));
        self.0.lock().expect("lock").insert(id, text);
        id
    }

    pub fn name(&self, id: &[u8; 16]) -> String {
        self.0.lock().expect("lock").get(id).cloned().unwrap_or_else(|| "?".into())
    }
}

impl Ids for ReadableIds {
    fn event(&self, connection: ConnectionId, key: &[u8]) -> EventId {
        EventId(self.make("event", connection, key))
    }
    fn message(&self, connection: ConnectionId, key: &[u8]) -> EventId {
        EventId(self.make("message", connection, key))
    }
    fn contact(&self, connection: ConnectionId, key: &[u8]) -> ContactId {
        ContactId(self.make("contact", connection, key))
    }
    fn conversation(&self, connection: ConnectionId, key: &[u8]) -> ConversationId {
        ConversationId(self.make("conversation", connection, key))
    }
}

/// Splits and reads a body, as the webhooks do for one connection.
pub fn parse(connector: &dyn Connector, account: &str, ids: &dyn Ids, bytes: &[u8]) -> Vec<Parsed> {
    let body = match Body::open(bytes) {
        Ok(body) => body,
        Err(reason) => return vec![raw(connector, ids, reason, bytes)],
    };
    match connector.split(&body) {
        Ok(parts) => {
            let read = |e: &Element<'_>| {
                let context = Context { ids, connection: CONNECTION, account: Some(account), received_at: RECEIVED };
                connector.read(e, &context)
            };
            parts.iter().flat_map(|part| part.elements.iter().map(read)).collect()
        }
        Err(reason) => vec![raw(connector, ids, reason, bytes)],
    }
}

fn raw(connector: &dyn Connector, ids: &dyn Ids, reason: DeadLetterReason, bytes: &[u8]) -> Parsed {
    Parsed::Raw(dead_letter(connector, ids, Some(CONNECTION), RECEIVED, reason, bytes))
}

/// One line that says everything about an element that a person wants to check.
pub fn line(parsed: &Parsed, ids: &ReadableIds) -> String {
    let event = match parsed {
        Parsed::Event(event) => event,
        Parsed::Raw(raw) => return format!("raw {} {} bytes", raw.reason, raw.bytes.len()),
        Parsed::Ignored(reason) => return format!("ignored {reason}"),
    };
    let mut out = vec![event.kind.to_string()];
    if let Some(message) = &event.message {
        out.push(message.kind.to_string());
    }
    if let Some(author) = &event.author {
        let who = author.contact.map(|c| ids.name(&c.0).replace("contact:", "="));
        out.push(format!("{}{}", author.kind, who.unwrap_or_default()));
    }
    out.push(event.conversation.map_or("nowhere".into(), |c| ids.name(&c.0).replace("conversation:", "in ")));
    out.push(ids.name(&event.id.0));
    out.push(format!("@{}", event.event_at.0));
    if let Some(message) = &event.message {
        if let Some(text) = &message.text {
            out.push(format!("{text:?}"));
        }
        for a in &message.attachments {
            let place = a.url.as_deref().or(a.media.as_deref()).unwrap_or("-");
            out.push(format!("[{} {place}]", a.kind));
        }
        if let Some(id) = message.reply_to {
            out.push(format!("re {}", ids.name(&id.0)));
        }
    }
    if let Some(amends) = &event.amends {
        out.push(format!("amends {} {:?}", ids.name(&amends.message.0), amends.change));
    }
    let mut details: serde_json::Value = serde_json::from_str(&event.details).expect("details are JSON");
    let said = details.as_object_mut().expect("an object");
    said.remove("platform_contact");
    said.remove("platform_author");
    if let Some(id) = said.get("message").and_then(|m| m.as_str()?.parse::<EventId>().ok()) {
        said.insert("message".into(), ids.name(&id.0).into());
    }
    if !said.is_empty() {
        out.push(details.to_string());
    }
    out.join(" ")
}
