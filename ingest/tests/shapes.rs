//! Shapes that the platforms' pages describe and that have no fixture.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
mod support;

use ingest::platforms::{Connector, Parsed, facebook, line};
use serde_json::{Value, json};
use support::*;

const USER: &str = "U2bd806c97f0e00af1a1fc3328fa763a9";

fn facebook_element(list: &str, element: Value) -> Vec<String> {
    let body = json!({"object": "page", "entry": [{"id": PAGE, "time": 1_773_705_600_420_i64, list: [element]}]});
    let apps = facebook::AppIds { own: Some("1".into()), human: vec!["55".into()], ..Default::default() };
    lines(&facebook::Facebook::new(apps), PAGE, &body)
}

fn line_event(event: Value) -> String {
    let mut event = event;
    let common =
        json!({"webhookEventId": "W", "timestamp": 1_773_878_400_000_i64, "source": {"type": "user", "userId": USER}});
    for (key, value) in common.as_object().expect("an object") {
        event.as_object_mut().expect("an object").entry(key.clone()).or_insert(value.clone());
    }
    lines(&line::Line, "U9", &json!({"destination": "U9", "events": [event]})).concat()
}

fn lines(connector: &dyn Connector, account: &str, body: &Value) -> Vec<String> {
    let ids = ReadableIds::default();
    let bytes = body.to_string().into_bytes();
    parse(connector, account, &ids, &bytes).iter().map(|parsed| support::line(parsed, &ids)).collect()
}

/// A message of the person, as one line without what all have.
fn message(message: Value) -> String {
    let element = json!({"sender": {"id": "7"}, "recipient": {"id": PAGE}, "timestamp": 1_773_705_600_000_i64, "message": message});
    facebook_element("messaging", element).concat().replace(" in 7 message:m @1773705600000", "")
}

#[test]
fn facebook_messages() {
    let image = |sticker: u64| json!({"type": "image", "payload": {"url": "u", "sticker_id": sticker}});
    for (said, expected) in [
        // sticker_transition: one sticker, said twice.
        (
            json!({"mid": "m", "attachments": [image(3), {"type": "sticker", "payload": {"url": "u", "sticker_id": 3}}]}),
            r#"message sticker customer=7 [sticker u] {"attachments":[{"index":0,"payload":{"sticker_id":3},"type":"sticker"}]}"#,
        ),
        (
            json!({"mid": "m", "attachments": [{"type": "image", "payload": {"url": "a"}}, {"type": "image", "payload": {"url": "b"}}]}),
            "message image customer=7 [image a] [image b]",
        ),
        (
            json!({"mid": "m", "text": "look", "attachments": [{"type": "image", "payload": {"url": "a"}}]}),
            r#"message text customer=7 "look" [image a]"#,
        ),
        (
            json!({"mid": "m", "text": "", "attachments": [{"type": "video", "payload": {"url": "a"}}]}),
            "message video customer=7 [video a]",
        ),
        (
            json!({"mid": "m", "attachments": [{"type": "location", "payload": {"coordinates": {"lat": 1.5, "long": 2}}}]}),
            r#"message location customer=7 [location -] {"attachments":[{"index":0,"payload":{"coordinates":{"lat":1.5,"long":2}},"type":"location"}]}"#,
        ),
        (
            json!({"mid": "m", "attachments": [{"type": "hologram"}]}),
            r#"message unsupported customer=7 [unsupported -] {"attachments":[{"index":0,"type":"hologram"}]}"#,
        ),
        (json!({"mid": "m", "is_unsupported": true}), r#"message unsupported customer=7 {"is_unsupported":true}"#),
        (
            json!({"mid": "m", "text": "x", "attachments": null, "reply_to": {"mid": "n", "is_self_reply": true}}),
            r#"message text customer=7 "x" re message:n {"reply_to":{"is_self_reply":true}}"#,
        ),
        (json!({"mid": 5, "text": "x"}), "message text customer=7 in 7 message:5 @1773705600000 \"x\""),
        (json!({"mid": "m", "text": 5}), "raw wrong_schema"),
        (json!({"mid": "", "text": "x"}), "raw wrong_schema"),
        (json!({"text": "x"}), "raw wrong_schema"),
        (json!({"mid": "m", "attachments": {"type": "image"}}), "raw wrong_schema"),
        (json!("m"), "raw wrong_schema"),
    ] {
        let line = message(said.clone());
        assert!(
            line == expected || line.starts_with(&format!("{expected} ")) && expected.starts_with("raw"),
            "{said}: {line}"
        );
    }
}

#[test]
fn facebook_echoes_by_app() {
    let echo = |app: Value, sender: &str, recipient: &str| {
        let element = json!({"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": 1, "message": {"mid": "m", "is_echo": true, "app_id": app, "text": "x"}});
        facebook_element("messaging", element).concat()
    };
    for (app, author) in [
        (Value::Null, "agent_external"), // echo_no_app_id
        (1.into(), "agent_external"),
        ("1".into(), "agent_external"),
        (263_902_037_430_900_u64.into(), "agent_external"),
        ("26390203743090".into(), "agent_external"),
        (55.into(), "agent_external"),
        (56.into(), "bot"),
    ] {
        let line = echo(app.clone(), PAGE, "7");
        assert!(line.starts_with(&format!("message text {author} in 7 ")), "{app}: {line}");
        assert_eq!(echo(app.clone(), "7", PAGE), line, "old copies had them reversed");
    }
    assert!(echo(Value::Null, "8", "7").starts_with("message text agent_external in 7 "));
}

#[test]
fn facebook_times() {
    let at = |timestamp: Value| {
        let element =
            json!({"sender": {"id": "7"}, "recipient": {"id": PAGE}, "timestamp": timestamp, "message": {"mid": "m"}});
        facebook_element("messaging", element).concat()
    };
    for (timestamp, millis) in [
        (json!(1_773_705_600_000_i64), "@1773705600000"),
        (json!("1773705600"), "@1773705600000"),
        (json!(1_773_705_600), "@1773705600000"),
        (json!(1_773_705_600_000.0), "@1773705600000"),
        // When it was sent is no time of it: the receive time.
        (Value::Null, "@1773900000000"),
        (json!(4_070_908_800_000_i64), "@1773900000000"),
        (json!(u64::MAX), "@1773900000000"),
        (json!(0), "@0"),
    ] {
        assert!(at(timestamp.clone()).contains(millis), "{timestamp}: {}", at(timestamp.clone()));
    }
    assert!(at(json!("soon")).starts_with("raw wrong_schema"));
    // delivery_watermark_only, without a time of its own.
    let delivery =
        json!({"sender": {"id": "7"}, "recipient": {"id": PAGE}, "delivery": {"watermark": 1_773_705_612_050_i64}});
    assert_eq!(
        facebook_element("messaging", delivery).concat(),
        r#"delivery customer=7 in 7 event:delivery|7|1773705612050 @1773705612050 {"watermark":"2026-03-17T00:00:12.050Z"}"#
    );
}

#[test]
fn what_has_neither_id_nor_time_is_the_same_in_every_delivery() {
    let sent = |time: i64| {
        let element =
            json!({"sender": {"id": "7"}, "recipient": {"id": PAGE}, "postback": {"title": "T", "payload": "P"}});
        let body = json!({"object": "page", "entry": [{"id": PAGE, "time": time, "messaging": [element]}]});
        lines(&facebook::Facebook::new(facebook::AppIds::default()), PAGE, &body)
    };
    assert_eq!(sent(1_773_705_600_420), sent(1_773_705_999_999));
    assert!(sent(1).concat().contains("message postback customer=7"), "{:?}", sent(1));
}

#[test]
fn facebook_others() {
    let person = |name: &str, about: Value| {
        facebook_element(
            "messaging",
            json!({"sender": {"id": 7}, "recipient": {"id": PAGE}, "timestamp": 1_773_705_618_000_i64, name: about}),
        )
        .concat()
    };
    // handover_pass_from_idle
    assert!(
        person("pass_thread_control", json!({"previous_owner_app_id": null, "new_owner_app_id": 1}))
            .starts_with("handover in 7 ")
    );
    assert!(
        person("message_edit", json!({"mid": "m", "text": "n", "num_edit": "2"}))
            .ends_with(r#"amends message:m Edit { text: Some("n"), order: 2 }"#)
    );
    assert!(person("message_edit", json!({"mid": "m", "text": "n"})).starts_with("raw wrong_schema"));
    assert!(
        person("optin", json!({"notification_messages_status": "STOP NOTIFICATIONS"}))
            .starts_with("opt_in customer=7 in 7 ")
    );
    assert!(person("read", json!({"watermark": {}})).starts_with("raw wrong_schema"));
    assert!(person("referral", json!(5)).starts_with("raw wrong_schema"));
    assert!(person("new_thing", json!({})).starts_with("raw unknown_event"));
    // A standby postback, and one with the Page alone.
    let postback =
        json!({"sender": {"id": "7"}, "recipient": {"id": PAGE}, "timestamp": 5, "postback": {"title": "T"}});
    assert_eq!(
        facebook_element("standby", postback),
        [r#"message postback customer=7 in 7 event:postback|7|5000| @5000 "T" {"mode":"standby","postback":{}}"#]
    );
    let nobody = json!({"recipient": {"id": PAGE}, "timestamp": 5, "message": {"mid": "m", "text": "x"}});
    assert!(facebook_element("messaging", nobody).concat().starts_with("raw wrong_schema"));
    for (change, expected) in [
        (json!({"field": "messages", "value": {}}), "ignored test_post"),
        (json!({"field": "messaging_postbacks", "value": {}}), "ignored test_post"),
        (json!({"field": "feed", "value": {}}), "raw unknown_event"),
        (json!({"value": {}}), "raw wrong_schema"),
    ] {
        assert!(facebook_element("changes", change).concat().starts_with(expected));
    }
    assert!(facebook_element("hop_context", json!({})).concat().starts_with("raw unknown_event"));
}

#[test]
fn line_messages() {
    // text_quote
    let line = line_event(
        json!({"type": "message", "message": {"type": "text", "id": "5", "text": "x", "quotedMessageId": "4", "quoteToken": "q"}}),
    );
    assert_eq!(line, format!("message text customer={USER} in {USER} message:5 @1773878400000 \"x\" re message:4"));
    // image_set
    let set = json!({"type": "message", "message": {"type": "image", "id": "5", "contentProvider": {"type": "line"}, "imageSet": {"id": "6E", "index": 2, "total": 2}}});
    assert!(line_event(set).ends_with(r#"[image 5] {"image_set":{"id":"6E","index":2,"total":2}}"#));
    // group_message_no_user_id
    let group = json!({"type": "message", "message": {"type": "text", "id": "5", "text": "x"}, "source": {"type": "group", "groupId": "C1"}});
    assert_eq!(line_event(group), "message text customer in C1 message:5 @1773878400000 \"x\"");
    // unknown_message_type
    let hologram =
        json!({"type": "message", "message": {"type": "hologram", "id": "5", "depth": 3, "markAsReadToken": "t"}});
    assert!(line_event(hologram).ends_with(r#"message:5 @1773878400000 {"depth":3,"platform_type":"hologram"}"#));
    // A number longer than a float holds.
    let number =
        json!({"type": "message", "message": {"type": "text", "id": 610_830_548_529_053_001_u64, "text": "x"}});
    assert!(line_event(number).contains("message:610830548529053001 "));
    for bad in [
        json!({"type": "message", "message": {"type": "text", "id": 5.5, "text": "x"}}),
        json!({"type": "message", "message": {"type": "text", "id": "5"}}),
        json!({"type": "message", "message": {"type": "text", "id": "5", "text": "x"}, "source": null}),
        json!({"type": "message", "message": {"type": "text", "id": "5", "text": "x"}, "source": {"type": "user"}}),
        json!({"type": "message"}),
        json!({"type": "unsend", "unsend": {}}),
        json!({"type": "follow", "follow": true}),
        json!({"type": 5}),
    ] {
        assert!(line_event(bad.clone()).starts_with("raw wrong_schema"), "{bad}");
    }
    let place = json!({"type": "message", "message": {"type": "text", "id": "5", "text": "x"}, "source": {"type": "square", "squareId": "S"}});
    assert!(line_event(place).starts_with("raw unknown_event"));
}

#[test]
fn line_others() {
    // redelivered
    let text = |mark: bool| {
        line_event(
            json!({"type": "message", "message": {"type": "text", "id": "5", "text": "x"}, "deliveryContext": {"isRedelivery": mark}}),
        )
    };
    assert_eq!(text(true), text(false));
    // postback_datetime
    let picked = json!({"type": "postback", "postback": {"data": "b", "params": {"datetime": "2026-03-25T10:30"}}});
    assert_eq!(
        line_event(picked),
        format!(
            r#"message postback customer={USER} in {USER} message:W @1773878400000 {{"postback":{{"data":"b","params":{{"datetime":"2026-03-25T10:30"}}}}}}"#
        )
    );
    // Older payloads: a follow without its object, events without an id or a time.
    let follow = json!({"type": "follow", "webhookEventId": null, "timestamp": null});
    let line = line_event(follow);
    assert!(
        line.starts_with(&format!("follow customer={USER} in {USER} event:{{")) && line.contains("@1773900000000"),
        "{line}"
    );
}

#[test]
fn the_last_of_duplicate_keys_counts() {
    let ids = ReadableIds::default();
    let body = r#"{"destination":"U0","destination":"U9","events":[],"events":[{"type":"follow","type":"unfollow","webhookEventId":"W"}]}"#;
    let parsed = parse(&line::Line, "U9", &ids, body.as_bytes());
    assert!(matches!(parsed.as_slice(), [Parsed::Event(event)] if event.kind == schemas::kind::Kind::Unfollow));
}

#[test]
fn a_text_cut_inside_an_emoji_is_still_a_message() {
    let ids = ReadableIds::default();
    let body = r#"{"object":"page","entry":[{"id":"104857600123456","messaging":[{"sender":{"id":"7"},"recipient":{"id":"104857600123456"},"message":{"mid":"m","text":"hi \ud83d"}},{"bad":"\ud83d"}]}]}"#;
    let parsed = parse(&facebook::Facebook::default(), PAGE, &ids, body.as_bytes());
    assert!(support::line(&parsed[0], &ids).contains("\"hi \u{fffd}\""));
    assert!(matches!(&parsed[1], Parsed::Raw(raw) if raw.bytes == br#"{"bad":"\ud83d"}"#), "kept as it came");
}
