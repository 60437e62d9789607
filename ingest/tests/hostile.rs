//! Whatever is signed: no panic, and every element of a readable envelope becomes exactly one thing.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
mod support;

use ingest::platforms::{Body, Connector, Parsed, facebook, line};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;
use support::*;

static BODIES: LazyLock<Vec<(bool, Vec<u8>)>> = LazyLock::new(|| {
    let of = |platform: &'static str| {
        fixtures(platform).into_iter().map(move |name| (platform == "line", fixture(platform, &name)))
    };
    of("line").chain(of("facebook")).collect()
});

fn connector(is_line: bool) -> Box<dyn Connector> {
    if is_line { Box::new(line::Line) } else { Box::new(facebook::Facebook::default()) }
}

/// How many elements a generic JSON reader counts, if the envelope is one.
fn count(is_line: bool, body: &[u8]) -> Option<usize> {
    let value: Value = serde_json::from_slice(body).ok()?;
    if is_line {
        value["destination"].as_str()?;
        return Some(value["events"].as_array()?.len());
    }
    if value["object"] != "page" {
        return None;
    }
    let entries = value["entry"].as_array()?;
    Some(
        entries
            .iter()
            .map(|entry| {
                let lists =
                    ["messaging", "standby", "changes"].map(|name| entry.get(name).filter(|list| !list.is_null()));
                let has_id = match &entry["id"] {
                    Value::String(id) => !id.is_empty() && id.len() <= ingest::platforms::ID_MAX,
                    Value::Number(id) => !id.is_f64(),
                    _ => false,
                };
                let readable =
                    has_id && lists.iter().flatten().all(|list| list.is_array()) && lists.iter().any(Option::is_some);
                if readable { lists.iter().flatten().filter_map(|list| list.as_array()).map(Vec::len).sum() } else { 1 }
            })
            .sum(),
    )
}

fn check(is_line: bool, body: &[u8]) {
    let ids = ReadableIds::default();
    let connector = connector(is_line);
    let parsed = parse(connector.as_ref(), PAGE, &ids, body);
    let deep = Body::open(body).is_err();
    if let Some(count) = count(is_line, body).filter(|_| !deep) {
        assert_eq!(parsed.len(), count, "{}", String::from_utf8_lossy(body));
    } else if serde_json::from_slice::<Value>(body).is_err() && !String::from_utf8_lossy(body).contains("\\u") {
        assert!(matches!(parsed.as_slice(), [Parsed::Raw(raw)] if raw.bytes == body));
    }
    for one in &parsed {
        if let Parsed::Event(event) = one {
            assert!(serde_json::from_str::<Value>(&event.details).expect("JSON").is_object());
            for word in ["replyToken", "reply_token", "quote_token", "mark_as_read_token", "authorization_code"] {
                assert!(!event.details.contains(&format!("\"{word}\":")), "{word}");
            }
            assert_eq!(event.message.is_some(), event.kind == schemas::kind::Kind::Message);
            assert!(event.message.is_none() || event.conversation.is_some());
        }
    }
    if let Ok(body) = Body::open(body) {
        let _ = connector.split_dead_letter(&body);
    }
    let _ = connector.decode_signature(body);
}

fn leaves(value: &Value, path: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    out.push(path.clone());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        path.push(key);
        leaves(child, path, out);
        path.pop();
    }
}

fn at<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Object(map) => map.get_mut(key),
        Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    })
}

fn replacement() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::from("")),
        ".{0,20}".prop_map(Value::from),
        (510usize..2000).prop_map(|n| Value::from("x".repeat(n))),
        Just(Value::from("\0")),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
        Just(serde_json::json!([[], {}, 1, "x", null])),
        Just(serde_json::json!({"id": 1, "type": "text", "url": 5})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes(is_line: bool, body in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(is_line, &body);
    }

    #[test]
    fn flipped_cut_and_repeated_bytes(which: prop::sample::Index, edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6)) {
        let (is_line, mut body) = BODIES[which.index(BODIES.len())].clone();
        for (place, byte, what) in edits {
            let place = place.index(body.len());
            match what {
                0 => body[place] = byte,
                1 => body.truncate(place.max(1)),
                2 => body.insert(place, byte),
                _ => { body.remove(place); if body.is_empty() { body.push(byte); } }
            }
        }
        check(is_line, &body);
    }

    #[test]
    fn other_values_anywhere(which: prop::sample::Index, places in proptest::collection::vec((any::<prop::sample::Index>(), replacement()), 1..4)) {
        let (is_line, body) = &BODIES[which.index(BODIES.len())];
        let mut value: Value = serde_json::from_slice(body).expect("a fixture");
        for (place, new) in places {
            let mut paths = Vec::new();
            leaves(&value, &mut Vec::new(), &mut paths);
            let path = paths[place.index(paths.len())].clone();
            if let Some(old) = at(&mut value, &path) {
                *old = new;
            }
        }
        check(*is_line, &serde_json::to_vec(&value).expect("json"));
    }
}
