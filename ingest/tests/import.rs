//! Lines of import.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
mod support;
#[path = "support/world.rs"]
mod world;

use ingest::{BadLine, ConnectionRef, ImportLine, Importer, LagGate};
use schemas::{event::*, ids::*, kind::*, log::Slot, time::Millis, wire::Payload};
use std::{
    collections::HashSet,
    sync::{Arc, atomic::*},
};
use support::*;
use world::*;

const EXAMPLES: &str = include_str!("../examples/import.ndjson");
const NOW: Millis = Millis(1_795_335_330_123);

#[derive(Default)]
struct Gate(AtomicUsize);

#[async_trait::async_trait]
impl LagGate for Gate {
    async fn admit(&self, _: Slot) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn event(line: &str, ids: &ReadableIds) -> Event {
    ImportLine::parse(line).expect(line).to_event(CONNECTION, Platform::Line, ids, NOW)
}

#[test]
fn there_is_an_example_of_every_kind_and_each_reads() {
    let ids = ReadableIds::default();
    let kinds: HashSet<Kind> = EXAMPLES.lines().map(|line| event(line, &ids).kind).collect();
    for kind in Kind::ALL {
        assert_eq!(kinds.contains(kind), kind.is_importable(), "{kind}");
    }
}

#[test]
fn examples_mean_what_they_say() {
    let ids = ReadableIds::default();
    let lines: Vec<_> = EXAMPLES.lines().map(|line| event(line, &ids)).collect();
    let first = &lines[0];
    assert_eq!(ids.name(&first.id.0), "message:m-1");
    assert_eq!(ids.name(&first.conversation.expect("one").0), "conversation:c-1");
    assert_eq!(first.contact.as_ref().and_then(|c| c.name.as_deref()), Some("Somchai"));
    assert_eq!(first.author.as_ref().and_then(|a| a.contact), first.contact.as_ref().map(|c| c.id));
    assert_eq!(first.message.as_ref().and_then(|m| m.text.as_deref()), Some("Is the blue mug in stock?"));
    assert_eq!((first.source, first.received_at), (Source::Import, NOW));
    let second = &lines[1];
    assert_eq!(second.author.as_ref().and_then(|a| a.member.as_deref()), Some("alice"));
    assert_eq!(second.message.as_ref().and_then(|m| m.reply_to), Some(first.id));
    assert_eq!(lines[3].amends.as_ref().map(|a| a.message), Some(second.id));
    let details = |kind: Kind| &lines.iter().find(|e| e.kind == kind).expect("an example").details;
    assert_eq!(details(Kind::Assign), r#"{"agent":"ben","team":"sales"}"#);
    assert_eq!(details(Kind::Snooze), r#"{"until":"2026-11-20T04:00:00.000Z"}"#);
    assert_eq!(details(Kind::Close), r#"{"actor":"alice","reason":"resolved"}"#);
    assert_eq!(details(Kind::Tag), r#"{"add":["vip"],"remove":["new"]}"#);
}

#[test]
fn bad_lines_say_why() {
    let good: serde_json::Value = serde_json::from_str(EXAMPLES.lines().next().expect("a line")).expect("json");
    let with = |field: &str, value: serde_json::Value| {
        let mut line = good.clone();
        line[field] = value;
        ImportLine::parse(&line.to_string()).map(|_| ()).map_err(|e| e.to_string())
    };
    let null = serde_json::Value::Null;
    for (field, value, why) in [
        ("id", null.clone(), "`id` is missing"),
        ("id", "".into(), "`id` must be a string of 1 to 1024 bytes"),
        ("id", "x".repeat(1025).into(), "`id` must be a string of 1 to 1024 bytes"),
        ("id", 5.into(), "`id` must be a string"),
        ("kind", "follow".into(), "`kind` is none that can be imported"),
        ("connection", "x".into(), "`connection` must be an id or {\"platform\", \"name\"}"),
        (
            "connection",
            serde_json::json!({"platform": "fax", "name": "x"}),
            "`connection.platform` must be a known platform",
        ),
        ("conversation", null.clone(), "`conversation` is missing"),
        ("author", null.clone(), "`author` is missing"),
        ("author", serde_json::json!({"kind": "ghost"}), "`author.kind` must be a known author kind"),
        ("event_at", "yesterday".into(), "`event_at` must be a time like 2026-11-22T08:15:30.123Z"),
        ("event_at", 5.into(), "`event_at` must be a string"),
        ("seq", 1.5.into(), "`seq` must be a whole number"),
        ("type", "telepathy".into(), "`type` must be a known type of message"),
        ("reason", "resolved".into(), "`reason` is no field of kind message"),
        ("contact", serde_json::json!({"id": "x", "phone": "1"}), "`phone` is no field of kind contact"),
    ] {
        assert_eq!(with(field, value.clone()), Err(why.to_owned()), "{field}: {value}");
    }
    assert_eq!(with("seq", null), Ok(()));
    for not_json in ["", "[]", "{", "\u{0}", &format!("{}{}", "[".repeat(40), "]".repeat(40))] {
        assert_eq!(ImportLine::parse(not_json), Err(BadLine::NotJson));
    }
}

#[test]
fn an_imported_copy_has_the_ids_of_the_webhook() {
    let ids = ReadableIds::default();
    let parsed = parse(&ingest::platforms::line::Line, DESTINATION, &ids, &fixture("line", "text.json"));
    let ingest::platforms::Parsed::Event(webhook) = &parsed[0] else { panic!("{parsed:?}") };
    let user = "U2bd806c97f0e00af1a1fc3328fa763a9";
    let line = serde_json::json!({
        "id": "610830548529053001", "kind": "message", "connection": CONNECTION.to_string(), "conversation": user,
        "contact": {"id": user}, "author": {"kind": "customer"}, "event_at": "2026-03-19T00:00:00Z", "text": "x"
    });
    assert_eq!(ImportLine::parse(&line.to_string()).expect("reads").connection, ConnectionRef::Id(CONNECTION));
    let import = event(&line.to_string(), &ids);
    assert_eq!((import.id, import.conversation), (webhook.id, webhook.conversation));
    assert_eq!(import.contact.map(|c| c.id), webhook.contact.as_ref().map(|c| c.id));
}

#[tokio::test]
async fn an_import_resolves_connections_and_counts_every_line() {
    let world = World::new().await;
    world.clock.set(NOW);
    let gate = Arc::new(Gate::default());
    let importer = Importer::new(world.ingest.intake().clone(), gate.clone());
    let line = |id: &str, connection: serde_json::Value, at: &str| {
        serde_json::json!({"id": id, "kind": "close", "connection": connection, "conversation": "c", "event_at": at, "reason": "spam"}).to_string()
    };
    let own = serde_json::Value::from(world.line.id.to_string());
    let other = world.registry.add_workspace("Other", "Asia/Tokyo", None).await.expect("a workspace");
    let foreign = world.registry.add_connection(other.id, Platform::Facebook, "P", Some("55")).await.expect("a page");
    let input = [
        EXAMPLES.trim_end().to_owned(),
        String::new(),
        line("a", own.clone(), "2026-11-22T00:00:00Z"),
        line("b", own, "2020-01-01T00:00:00Z"),
        line("c", foreign.id.to_string().into(), "2026-11-22T00:00:00Z"),
        line("d", "0".repeat(32).into(), "2026-11-22T00:00:00Z"),
        "x".repeat((1 << 20) + 1),
        "not json\r".into(),
    ]
    .join("\n");
    let mut bad = Vec::new();
    let summary = importer
        .run(world.workspace.id, format!("\u{feff}{input}").as_bytes(), |number, why| {
            bad.push(format!("line {number}: {why}"))
        })
        .await
        .expect("runs");
    assert_eq!((summary.lines, summary.appended, summary.bad), (28, 24, 4));
    assert!(summary.position.is_some());
    assert_eq!(
        bad,
        [
            "line 26: no such connection in this workspace",
            "line 27: no such connection in this workspace",
            "line 28: the line is longer than 1048576 bytes",
            "line 29: not a JSON object in UTF-8 with at most 32 levels",
        ]
    );
    assert_eq!((gate.0.load(Ordering::SeqCst), world.log.appends.load(Ordering::SeqCst)), (1, 1));
    let records = world.records().await;
    assert_eq!(records.len(), 24);
    assert!(records.iter().all(|(workspace, _)| *workspace == world.workspace.id));
    let ignored = records.iter().filter(|(_, p)| matches!(p, Payload::Ignored(i) if i.reason == IgnoredReason::TooOld));
    assert_eq!(ignored.count(), 1);
    let connections: HashSet<ConnectionId> =
        records.iter().filter_map(|(_, p)| if let Payload::Event(e) = p { Some(e.connection) } else { None }).collect();
    assert_eq!(connections.len(), 2, "one that was there, one made at first sight");
}

#[tokio::test]
async fn batches_are_small_and_each_waits_at_the_gate() {
    let world = World::new().await;
    world.clock.set(NOW);
    let gate = Arc::new(Gate::default());
    let importer = Importer::new(world.ingest.intake().clone(), gate.clone());
    let lines: String = (0..2500)
        .map(|n| format!("{{\"id\":\"{n}\",\"kind\":\"handoff\",\"connection\":\"{}\",\"conversation\":\"c\",\"event_at\":\"2026-11-22T00:00:00Z\"}}\n", world.line.id))
        .collect();
    let summary = importer.run(world.workspace.id, lines.as_bytes(), |_, why| panic!("{why}")).await.expect("runs");
    assert_eq!((summary.lines, summary.appended), (2500, 2500));
    assert_eq!((gate.0.load(Ordering::SeqCst), world.log.appends.load(Ordering::SeqCst)), (3, 3));
    world.log.broken.store(true, Ordering::SeqCst);
    assert!(importer.run(world.workspace.id, lines.as_bytes(), |_, _| ()).await.is_err());
    assert!(importer.run(WorkspaceId([9; 16]), lines.as_bytes(), |_, _| ()).await.is_err());
}
