//! Facebook as `tests/fixtures/facebook` shows it: pages, elements, signed posts of the app.
use super::{client::Client, node::Endpoints, sign};
use serde_json::{Value, json};

/// The app, whose secret signs the posts of all pages.
pub const APP_SECRET: &str = "e2e-app-secret-4f9a";
/// The set-up's verify token.
pub const VERIFY_TOKEN: &str = "e2e-verify-token-77c1";
/// The app's id.
pub const APP_ID: &str = "987654321098765";
/// Facebook's own Page inbox.
pub const PAGE_INBOX: u64 = 263_902_037_430_900;

/// A page that is connected.
#[derive(Clone, Debug)]
pub struct Page {
    pub connection: String,
    pub id: String,
}

impl Page {
    /// An entry with elements of `messaging`.
    pub fn entry(&self, elements: &[Value]) -> Value {
        entry(&self.id, elements)
    }

    /// Posts elements, which have to be accepted.
    pub fn send(&self, to: &Endpoints, elements: &[Value]) {
        let status = post(to, &to.client, &body(&[self.entry(elements)])).unwrap();
        assert_eq!(status, 200, "a signed post was not accepted");
    }

    fn element(&self, person: &str, at: i64, name: &str, said: Value) -> Value {
        json!({"sender": {"id": person}, "recipient": {"id": self.id}, "timestamp": at, name: said})
    }

    /// A text from a person.
    pub fn text(&self, mid: &str, person: &str, text: &str, at: i64) -> Value {
        self.element(person, at, "message", json!({"mid": mid, "text": text}))
    }

    /// A text to a person, as the app with this id sent it.
    pub fn echo(&self, mid: &str, person: &str, text: &str, app: Option<u64>, at: i64) -> Value {
        let mut said = json!({"mid": mid, "is_echo": true, "text": text});
        if let Some(app) = app {
            said["app_id"] = app.into();
        }
        json!({"sender": {"id": self.id}, "recipient": {"id": person}, "timestamp": at, "message": said})
    }

    /// The `number`th edit of a message.
    pub fn edit(&self, mid: &str, person: &str, text: &str, number: i64, at: i64) -> Value {
        self.element(person, at, "message_edit", json!({"mid": mid, "text": text, "num_edit": number}))
    }

    /// A reaction.
    pub fn reaction(&self, mid: &str, person: &str, at: i64) -> Value {
        let said = json!({"reaction": "love", "emoji": "❤️", "action": "react", "mid": mid});
        self.element(person, at, "reaction", said)
    }

    /// A receipt: read up to an instant.
    pub fn read(&self, person: &str, at: i64) -> Value {
        self.element(person, at, "read", json!({"watermark": at}))
    }
}

/// An entry of any page.
pub fn entry(page: &str, elements: &[Value]) -> Value {
    json!({"id": page, "time": super::now(), "messaging": elements})
}

/// A body with entries. Facebook sends ASCII with escapes, and so do we: the signature is over those bytes.
pub fn body(entries: &[Value]) -> Vec<u8> {
    let mut text = String::new();
    for c in json!({"object": "page", "entry": entries}).to_string().chars() {
        match c {
            '/' => text += "\\/",
            c if c.is_ascii() => text.push(c),
            c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text += &format!("\\u{unit:04x}")),
        }
    }
    text.into_bytes()
}

/// Posts bytes with the app's signature; the status, or an error when nobody answered.
pub fn post(to: &Endpoints, client: &Client, body: &[u8]) -> Result<u16, ureq::Error> {
    let (name, value) = sign::facebook(APP_SECRET, body);
    let headers = [(name, value.as_str()), ("content-type", "application/json")];
    Ok(client.post(&format!("{}/webhooks/facebook", to.ingest), &headers, body)?.status)
}
