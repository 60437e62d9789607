//! Elements of Facebook's `messaging`, and posts of them.
use serde_json::{Value, json};
use std::fmt::Write;

/// The Page inbox: an echo of it was written by a person.
pub const PAGE_INBOX: u64 = 263_902_037_430_900;
/// Some other app: an echo of it was written by a machine.
pub const BOT_APP: u64 = 112_233_445_566_778;

/// An element: `about` (an object like `{"message": …}`) between a person and a page.
pub fn element(from: &str, to: &str, at: i64, about: Value) -> Value {
    let mut element = json!({ "sender": { "id": from }, "recipient": { "id": to }, "timestamp": at });
    if let (Value::Object(element), Value::Object(about)) = (&mut element, about) {
        element.extend(about);
    }
    element
}

/// An attachment by URL.
pub fn attachment(kind: &str, name: &str) -> Value {
    let url =
        format!("https://scontent.example-fbcdn.test/v/t1.15752-9/{name}?_nc_cat=1&oh=00_SyntheticHash&oe=69C0A1B2");
    json!({ "type": kind, "payload": { "url": url } })
}

/// JSON as Meta sends it: ASCII only, `\u` escapes in lower case, and escaped slashes.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        match c {
            '/' => text.push_str("\\/"),
            c if c.is_ascii() => text.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text
}

/// A post with one entry for each element, as Meta does it: page, time of sending, element as it is written.
pub fn body(entries: &[(String, i64, String)]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(page, time, element)| format!("{{\"id\":\"{page}\",\"time\":{time},\"messaging\":[{element}]}}"))
        .collect();
    format!("{{\"object\":\"page\",\"entry\":[{}]}}", entries.join(","))
}

/// What the dashboard's "Test" button sends.
pub fn dashboard_test(at: i64) -> String {
    let seconds = at / 1000;
    write(
        &json!({ "object": "page", "entry": [{ "id": "0", "time": seconds, "changes": [{ "field": "messages", "value": {
            "sender": { "id": "12334" }, "recipient": { "id": "23245" }, "timestamp": seconds.to_string(),
            "message": { "mid": "test_message_id", "text": "test_message" },
        }}]}]}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_as_meta_does_and_means_the_same() {
        let value = json!({ "text": "Très bien 👍 a/b", "n": 1 });
        let text = write(&value);
        assert!(text.is_ascii());
        assert!(text.contains("\\u00e8") && text.contains("\\ud83d\\udc4d") && text.contains("a\\/b"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
