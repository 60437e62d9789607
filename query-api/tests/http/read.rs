//! Marking a conversation read.
use crate::world::{NOW, World, id, request};
use axum::{
    body::{Body, Bytes},
    http::Method,
};
use futures::stream;
use schemas::{
    event::FUTURE_TOLERANCE,
    kind::{AuthorKind, Kind, Source},
    time::Millis,
    wire::Payload,
};
use std::convert::Infallible;

const UNTIL: &str = r#"{"until":"2026-11-22T15:15:30.123+07:00"}"#;

fn path() -> String {
    format!("/v1/conversations/{}/read", id(1))
}

#[tokio::test]
async fn a_mark_is_an_event_in_the_workspaces_slot() {
    let world = World::new().await;
    let mut ids = std::collections::BTreeSet::new();
    for n in 1..=2u64 {
        let answer = world.post(&world.ours.write, &path(), UNTIL).await.ok();
        assert_eq!(answer.as_object().expect("an object").len(), 1);
        let wanted = crate::fake::position(world.ours.workspace.slot, n).to_string();
        assert_eq!(answer["position"], wanted);
        let (slot, record) = world.log.records.lock().last().cloned().expect("a record");
        assert_eq!((slot, record.workspace), (world.ours.workspace.slot, world.ours.workspace.id));
        let payload = records::open(&world.keyring, &record).await.expect("it opens");
        let Payload::Event(event) = payload else { panic!("no event") };
        assert_eq!(record.event, event.id);
        assert_eq!((event.kind, event.source), (Kind::MemberRead, Source::Members));
        assert_eq!((event.event_at, event.received_at, event.claimed_at), (NOW, NOW, None));
        assert_eq!(event.details, r#"{"until":"2026-11-22T08:15:30.123Z"}"#);
        assert_eq!(event.conversation.expect("one").to_string(), id(1));
        assert_eq!(event.connection, world.ours.connection);
        let contact = event.contact.expect("one");
        assert_eq!((contact.id.to_string(), contact.name), (id(1), None));
        let author = event.author.expect("one");
        assert_eq!((author.kind, author.member), (AuthorKind::Agent, None));
        ids.insert(event.id);
    }
    assert_eq!(ids.len(), 2, "each is an act of its own");
}

#[tokio::test]
async fn a_mark_does_not_hide_messages_that_are_yet_to_come() {
    let world = World::new().await;
    world.post(&world.ours.write, &path(), r#"{"until":"2099-01-01T00:00:00Z"}"#).await.ok();
    let (_, record) = world.log.records.lock().last().cloned().expect("a record");
    let Payload::Event(event) = records::open(&world.keyring, &record).await.expect("it opens") else { panic!() };
    let latest: Millis = NOW + FUTURE_TOLERANCE;
    assert_eq!(event.details, format!(r#"{{"until":"{latest}"}}"#));
}

#[tokio::test]
async fn other_bodies_are_refused() {
    let world = World::new().await;
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "{",
        "\"2026-11-22T08:15:30Z\"",
        r#"{"until":null}"#,
        r#"{"until":1}"#,
        r#"{"until":"yesterday"}"#,
        r#"{"until":"2026-11-22"}"#,
        r#"{"until":"2026-11-22T08:15:30Z","member":"alice"}"#,
        r#"{"until":"2026-11-22T08:15:30Z","until":"2026-11-22T08:15:30Z"}"#,
        r#"{"until":"2026-11-22T08:15:30Z"} x"#,
    ] {
        world.post(&world.ours.write, &path(), body).await.is(400, "bad_body");
    }
    let with_query = world.post(&world.ours.write, &format!("{}?force=1", path()), UNTIL).await;
    with_query.is(400, "bad_parameter");
    assert!(world.log.records.lock().is_empty());
}

#[tokio::test]
async fn only_json_and_not_too_much_of_it() {
    let world = World::new().await;
    for media_type in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let mut asked = request(Method::POST, &world.ours.write, &path());
        *asked.body_mut() = UNTIL.into();
        if !media_type.is_empty() {
            asked.headers_mut().insert("content-type", media_type.parse().expect("a value"));
        }
        world.send(asked).await.is(415, "unsupported_media_type");
    }
    let mut asked = request(Method::POST, &world.ours.write, &path());
    asked.headers_mut().insert("content-type", "Application/JSON; charset=utf-8".parse().expect("a value"));
    *asked.body_mut() = UNTIL.into();
    world.send(asked).await.ok();
    let padded = |length: usize| format!("{UNTIL}{}", " ".repeat(length - UNTIL.len()));
    world.post(&world.ours.write, &path(), padded(16 << 10)).await.ok();
    world.post(&world.ours.write, &path(), padded((16 << 10) + 1)).await.is(413, "too_large");
    let endless = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b' '; 1000])));
    world.post(&world.ours.write, &path(), Body::from_stream(endless)).await.is(413, "too_large");
    assert_eq!(world.log.records.lock().len(), 2);
}

#[tokio::test]
async fn without_the_log_nothing_is_acknowledged() {
    let world = World::new().await;
    *world.log.down.lock() = true;
    let answer = world.post(&world.ours.write, &path(), UNTIL).await;
    answer.is(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!String::from_utf8_lossy(&answer.bytes).contains("secret"));
}
