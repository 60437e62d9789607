//! 80 and more inputs that somebody with a grudge could send, each with what has to become of it.
use crate::harness::{line, line::Account, raw};
use serde_json::json;

/// What has to come back. Many inputs allow a close too: the client broke the protocol first.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// Taken: what cannot be read is a dead letter.
    Taken,
    /// This status.
    Status(u16),
    /// Some 4xx, or closed without an answer.
    Refused,
}

/// One input: bytes of a connection.
pub struct Input {
    pub name: String,
    pub bytes: Vec<u8>,
    pub wanted: Wanted,
}

fn input(name: impl Into<String>, bytes: impl Into<Vec<u8>>, wanted: Wanted) -> Input {
    Input { name: name.into(), bytes: bytes.into(), wanted }
}

/// Signed bodies: whatever is in them, the answer is 200 and the node lives.
fn bodies(account: &Account) -> Vec<(String, Vec<u8>)> {
    let user = line::user(0xbad);
    let with =
        |events: String| format!("{{\"destination\":\"{}\",\"events\":{events}}}", account.destination).into_bytes();
    let of = |name: &str, event: serde_json::Value| (name.to_owned(), account.body(&[event]));
    let message = |said: serde_json::Value| {
        let mut event = line::event("message", &user, crate::harness::now() - 5000);
        event["message"] = said;
        event
    };
    let changed = |name: &str, field: &str, value: serde_json::Value| {
        let mut event = line::text("888", &user, "odd", crate::harness::now() - 5000);
        event[field] = value;
        of(name, event)
    };
    let mut all: Vec<(String, Vec<u8>)> = [
        ("empty", ""),
        ("white space", " \r\n\t "),
        ("null", "null"),
        ("true", "true"),
        ("a number", "17"),
        ("a huge number", "1e999999"),
        ("a long number", &"9".repeat(5000)),
        ("minus", "-"),
        ("a string", "\"hello\""),
        ("an open string", "\"hello"),
        ("an empty object", "{}"),
        ("an empty list", "[]"),
        ("an open object", "{"),
        ("a trailing comma", "{\"events\":[],}"),
        ("a comment", "{/* */\"events\":[]}"),
        ("single quotes", "{'events':[]}"),
        ("NaN", "{\"events\":NaN}"),
        ("two values", "{} {}"),
        ("a NUL", "{\"events\":[]}\0"),
        ("a byte order mark", "\u{feff}{}"),
        ("XML", "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><x>&a;</x>"),
        ("a form", "payload=%7B%7D&x=1"),
        ("SQL", "'; DROP TABLE files; --"),
        ("a template", "{{7*7}}${7*7}<%= 7*7 %>"),
        ("a bad escape", "{\"a\":\"\\q\"}"),
        ("half an escape", "{\"a\":\"\\u12"),
        ("a raw control character", "{\"a\":\"\u{1}\"}"),
        ("31 levels", &format!("{}{}", "[".repeat(31), "]".repeat(31))),
        ("33 levels", &format!("{}{}", "[".repeat(33), "]".repeat(33))),
        ("400,000 levels", &"[".repeat(400_000)),
        ("400,000 objects", &"{\"a\":".repeat(150_000)),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
    .collect();
    all.push(("invalid UTF-8".into(), b"{\"destination\":\"\xc3\x28\"}".to_vec()));
    all.push(("overlong UTF-8".into(), b"{\"a\":\"\xc0\xaf\"}".to_vec()));
    all.push(("gzip bytes".into(), b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec()));
    all.push(("half a surrogate pair".into(), with(format!("[{{\"type\":\"message\",\"timestamp\":1,\"message\":{{\"id\":\"1\",\"type\":\"text\",\"text\":\"\\ud83d\"}},\"source\":{{\"type\":\"user\",\"userId\":\"{user}\"}}}}]"))));
    all.push((
        "equal keys".into(),
        format!("{{\"destination\":\"{0}\",\"destination\":\"x\",\"events\":[],\"events\":5}}", account.destination)
            .into_bytes(),
    ));
    all.push((
        "another destination".into(),
        json!({"destination": "U00", "events": [line::event("follow", &user, 5)]}).to_string().into_bytes(),
    ));
    for events in [
        "{}",
        "5",
        "\"x\"",
        "null",
        "[null]",
        "[5]",
        "[[]]",
        "[{}]",
        "[\"x\"]",
        "[{\"type\":5}]",
        "[{\"type\":\"message\"}]",
    ] {
        all.push((format!("events: {events}"), with(events.to_owned())));
    }
    all.push(("100,000 elements".into(), with(format!("[{}]", vec!["{}"; 100_000].join(",")))));
    all.extend([
        of("no id", message(json!({"type": "text", "text": "x"}))),
        of("id is a float", message(json!({"type": "text", "id": 1.5, "text": "x"}))),
        of("id is empty", message(json!({"type": "text", "id": "", "text": "x"}))),
        of("id is long", message(json!({"type": "text", "id": "9".repeat(5000), "text": "x"}))),
        of("text is a list", message(json!({"type": "text", "id": "1", "text": ["x"]}))),
        of("text is null", message(json!({"type": "text", "id": "1", "text": null}))),
        of("edit without text", line::event("messageEdited", &user, 5)),
        of("unsend of nothing", line::event("unsend", &user, 5)),
        of("unsend of a list", {
            let mut e = line::event("unsend", &user, 5);
            e["unsend"] = json!([1]);
            e
        }),
        changed("source is a string", "source", json!("U1")),
        changed("source of a new type", "source", json!({"type": "planet", "planetId": "x"})),
        changed("no source", "source", json!(null)),
        changed("source with a path", "source", json!({"type": "user", "userId": "../../../etc/passwd\0"})),
        changed("time is a word", "timestamp", json!("yesterday")),
        changed("time is a list", "timestamp", json!([1])),
        changed("time is huge", "timestamp", json!(1e300)),
        changed("event id is an object", "webhookEventId", json!({})),
        changed("type is __proto__", "type", json!("__proto__")),
    ]);
    all
}

/// Everything, for one account.
pub fn all(account: &Account) -> Vec<Input> {
    let path = &account.path;
    let mut inputs = Vec::new();
    for (name, body) in bodies(account) {
        let (header, value) = crate::harness::sign::line(&account.secret, &body);
        let request = raw::request("POST", path, &[(header, &value), ("content-type", "application/json")], &body);
        inputs.push(input(name, request, Wanted::Taken));
    }
    let head = |rest: &str| format!("POST {path} HTTP/1.1\r\nhost: x\r\n{rest}\r\n\r\n");
    let many: String = (0..500).map(|n| format!("x-{n}: y\r\n")).collect();
    inputs.extend([
        input("nothing but line ends", "\r\n\r\n\r\n\r\nX\r\n\r\n", Wanted::Refused),
        input("binary noise", vec![0xff; 400], Wanted::Refused),
        input("another protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n", Wanted::Refused),
        input("HTTP/0.9", "GET /\r\n\r\n", Wanted::Refused),
        input("HTTP/7", "GET / HTTP/7.0\r\nhost: x\r\n\r\n", Wanted::Refused),
        input(
            "a lower-case method",
            format!("post {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"),
            Wanted::Refused,
        ),
        input("CONNECT", "CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n", Wanted::Refused),
        input(
            "a proxy's URL",
            "GET http://169.254.169.254/latest/meta-data HTTP/1.1\r\nhost: x\r\n\r\n",
            Wanted::Refused,
        ),
        input("two lengths", head("content-length: 5\r\ncontent-length: 6") + "hello", Wanted::Refused),
        input(
            "length and chunks",
            head("content-length: 4\r\ntransfer-encoding: chunked") + "0\r\n\r\n",
            Wanted::Refused,
        ),
        input("a negative length", head("content-length: -1"), Wanted::Refused),
        input("a length that is none", head("content-length: many"), Wanted::Refused),
        input("a bad chunk size", head("transfer-encoding: chunked") + "zzzz\r\nhello\r\n0\r\n\r\n", Wanted::Refused),
        input("a huge chunk size", head("transfer-encoding: chunked") + "ffffffffffffffff\r\nhello", Wanted::Refused),
        input("an unknown transfer encoding", head("transfer-encoding: gzip, chunked") + "0\r\n\r\n", Wanted::Refused),
        input("a folded header", head("x-a: 1\r\n  2\r\ncontent-length: 0"), Wanted::Refused),
        input("a header without a name", head(": x\r\ncontent-length: 0"), Wanted::Refused),
        input("500 headers", head(&format!("{many}content-length: 0")), Wanted::Refused),
        input(
            "a header of 64 KiB",
            head(&format!("x: {}\r\ncontent-length: 0", "y".repeat(64 << 10))),
            Wanted::Refused,
        ),
        input(
            "a path of 64 KiB",
            format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(64 << 10)),
            Wanted::Refused,
        ),
        input(
            "a path out of here",
            "POST /webhooks/line/%2e%2e%2f%2e%2e HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
            Wanted::Status(404),
        ),
        input(
            "a NUL in the path",
            "POST /webhooks/line/%00 HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
            Wanted::Status(404),
        ),
        input(
            "invalid UTF-8 in the path",
            "POST /webhooks/line/%ff%fe HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
            Wanted::Refused,
        ),
        input(
            "another connection's path",
            "POST /webhooks/line/00000000000000000000000000000000 HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
            Wanted::Status(404),
        ),
        input("no signature", head("content-length: 2") + "{}", Wanted::Status(401)),
        input(
            "a signature of 8 KiB",
            head(&format!("x-line-signature: {}\r\ncontent-length: 2", "A".repeat(8 << 10))) + "{}",
            Wanted::Status(401),
        ),
        input(
            "an upgrade",
            head("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 0"),
            Wanted::Status(401),
        ),
        input("an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Wanted::Refused),
    ]);
    inputs
}
