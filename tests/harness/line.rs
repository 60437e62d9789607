//! LINE as `tests/fixtures/line` shows it: accounts, events, signed posts.
use super::{client::Client, node::Endpoints, sign};
use serde_json::{Value, json};

/// An Official Account that is connected.
#[derive(Clone, Debug)]
pub struct Account {
    pub connection: String,
    pub path: String,
    pub destination: String,
    pub secret: String,
}

impl Account {
    /// A body with these events.
    pub fn body(&self, events: &[Value]) -> Vec<u8> {
        json!({"destination": self.destination, "events": events}).to_string().into_bytes()
    }

    /// Posts bytes with this account's signature; the status, or an error when nobody answered.
    pub fn post(&self, to: &Endpoints, client: &Client, body: &[u8]) -> Result<u16, ureq::Error> {
        let (name, value) = sign::line(&self.secret, body);
        let headers = [(name, value.as_str()), ("content-type", "application/json")];
        Ok(client.post(&format!("{}{}", to.ingest, self.path), &headers, body)?.status)
    }

    /// Posts events, which have to be accepted.
    pub fn send(&self, to: &Endpoints, events: &[Value]) {
        let status = self.post(to, &to.client, &self.body(events)).unwrap();
        assert_eq!(status, 200, "a signed post was not accepted");
    }
}

/// The id of an event; copies of an event have the same time and kind, others do not in these tests.
fn event_id(kind: &str, at: i64) -> String {
    format!("01{:X}{:023}", kind.len() % 16, at)[..26].to_owned()
}

/// An event of any type by a user.
pub fn event(kind: &str, user: &str, at: i64) -> Value {
    json!({
        "type": kind,
        "webhookEventId": event_id(kind, at),
        "deliveryContext": {"isRedelivery": false},
        "timestamp": at,
        "source": {"type": "user", "userId": user},
        "mode": "active",
    })
}

/// A text message.
pub fn text(id: &str, user: &str, text: &str, at: i64) -> Value {
    let mut event = event("message", user, at);
    event["message"] = json!({"type": "text", "id": id, "quoteToken": format!("q{id}"), "text": text});
    event["replyToken"] = format!("{at:032}").into();
    event
}

/// Another text for a message.
pub fn edit(id: &str, user: &str, text: &str, at: i64) -> Value {
    let mut event = event("messageEdited", user, at);
    event["message"] = json!({"type": "text", "id": id, "text": text});
    event
}

/// A message taken back.
pub fn unsend(id: &str, user: &str, at: i64) -> Value {
    let mut event = event("unsend", user, at);
    event["unsend"] = json!({"messageId": id});
    event
}

/// The copy that LINE sends when it got no 200.
pub fn redelivery(event: &Value) -> Value {
    let mut copy = event.clone();
    copy["deliveryContext"]["isRedelivery"] = true.into();
    copy
}

/// `U` and 32 digits out of a number.
pub fn user(n: u64) -> String {
    format!("U{n:032x}")
}
