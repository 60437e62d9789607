//! The webhooks through their router: every row of the bad-input table that belongs here, and what reaches the log.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
mod support;
#[path = "support/world.rs"]
mod world;

use axum::{
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{Request, StatusCode},
};
use futures::StreamExt;
use ingest::platforms::line::CHANNEL_SECRET;
use schemas::{ids::*, kind::*, log::Slot, time::Millis, wire::Payload};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use support::*;
use tower::ServiceExt;
use world::*;

fn line_text(id: &str, at: i64) -> String {
    format!(
        r#"{{"destination":"{DESTINATION}","events":[{{"type":"message","message":{{"type":"text","id":"{id}","text":"hi"}},"webhookEventId":"W{id}","timestamp":{at},"source":{{"type":"user","userId":"U1"}}}}]}}"#
    )
}

fn facebook_text(page: &str, mid: &str) -> String {
    format!(
        r#"{{"object":"page","entry":[{{"id":"{page}","time":{0},"messaging":[{{"sender":{{"id":"7"}},"recipient":{{"id":"{page}"}},"timestamp":{0},"message":{{"mid":"{mid}","text":"hi"}}}}]}}]}}"#,
        NOW.0
    )
}

#[tokio::test]
async fn a_signed_post_is_in_the_log_of_its_workspace_when_it_is_answered() {
    let world = World::new().await;
    assert_eq!(world.line(fixture("line", "batch.json")).await, StatusCode::OK);
    assert_eq!(world.facebook(fixture("facebook", "text.json")).await, StatusCode::OK);
    assert_eq!(world.words().await, ["message", "follow", "message"]);
    assert_eq!(world.log.appends.load(Ordering::SeqCst), 2, "one append for a post of one workspace");
    let records = world.records().await;
    let ids = world.keyring.pseudonyms(world.workspace.id).await.expect("keys");
    let Payload::Event(event) = &records[0].1 else { panic!("an event") };
    assert_eq!(event.id, ids.message(world.line.id, b"610830548529053024"));
    assert_eq!((event.received_at, event.connection), (NOW, world.line.id));
    let text = world.metrics_text();
    assert!(text.contains(r#"chatmai_webhook_posts_total{platform="line",status="200"} 1"#), "{text}");
    assert!(text.contains("chatmai_webhook_seconds_bucket"), "{text}");
    assert!(text.contains("chatmai_records_encrypted_total 3\n"), "{text}");
    assert!(text.contains("chatmai_records_plain_total 0\n"), "{text}");
}

#[tokio::test]
async fn without_a_signature_that_holds_nothing_reaches_the_log() {
    let world = World::new().await;
    let body = fixture("line", "text.json");
    let good = sign_line(LINE_SECRET, &body);
    let reserialised = serde_json::to_vec_pretty(&serde_json::from_slice::<serde_json::Value>(&body).expect("json"));
    let post = || Request::post(format!("/webhooks/line/{}", world.line.id));
    let requests = [
        post().body(Body::from(body.clone())),
        post().header("x-line-signature", "").body(Body::from(body.clone())),
        post().header("x-line-signature", sign_line(b"wrong", &body)).body(Body::from(body.clone())),
        post().header("x-line-signature", &good).body(Body::from(reserialised.expect("json"))),
        post().header("x-line-signature", &good).header("x-line-signature", &good).body(Body::from(body.clone())),
        Request::post("/webhooks/facebook").body(Body::from(body.clone())),
        Request::post("/webhooks/facebook")
            .header("x-hub-signature-256", sign_facebook(b"no", &body))
            .body(body.into()),
    ];
    for request in requests {
        assert_eq!(world.send(request.expect("a request")).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(world.log.appends.load(Ordering::SeqCst), 0);
    let text = world.metrics_text();
    assert!(
        text.contains(&format!("chatmai_signature_failures_total{{connection=\"{}\"}} 5", world.line.id)),
        "{text}"
    );
    assert!(text.contains(r#"chatmai_signature_failures_total{connection="facebook"} 2"#), "{text}");
}

#[tokio::test]
async fn both_secrets_sign_during_a_rotation_and_an_old_one_stops_within_a_second() {
    let world = World::new().await;
    let body = line_text("1", NOW.0);
    assert_eq!(world.line(body.clone()).await, StatusCode::OK);
    world.vault.rotate(world.line.id, CHANNEL_SECRET, b"new", true).await.expect("rotated");
    world.clock.advance(Duration::from_secs(1));
    let signed = |secret: &[u8]| line_request(world.line.id, &sign_line(secret, body.as_bytes()), body.clone());
    assert_eq!(world.send(signed(b"new")).await, StatusCode::OK);
    assert_eq!(world.send(signed(LINE_SECRET)).await, StatusCode::OK);
    world.vault.rotate(world.line.id, CHANNEL_SECRET, b"newest", false).await.expect("rotated");
    world.clock.advance(Duration::from_millis(1000));
    assert_eq!(world.send(signed(LINE_SECRET)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.send(signed(b"newest")).await, StatusCode::OK);
    let body = facebook_text(PAGE, "m");
    let request = Request::post("/webhooks/facebook")
        .header("X-Hub-Signature-256", sign_facebook(b"next secret", body.as_bytes()))
        .body(Body::from(body));
    assert_eq!(world.send(request.expect("a request")).await, StatusCode::OK, "either app secret signs");
}

#[tokio::test]
async fn unknown_and_disabled_connections_are_the_same_404() {
    let world = World::new().await;
    let body = line_text("1", NOW.0);
    let signature = sign_line(LINE_SECRET, body.as_bytes());
    for path in ["0".repeat(32), "x".into(), world.page.id.to_string()] {
        assert_eq!(world.send(line_request(path, &signature, body.clone())).await, StatusCode::NOT_FOUND);
    }
    assert_eq!(world.line(body.clone()).await, StatusCode::OK);
    world.registry.disable_connection(world.line.id).await.expect("disabled");
    world.registry.refresh().await.expect("refreshed");
    assert_eq!(world.line(body).await, StatusCode::NOT_FOUND);
    assert_eq!(world.words().await, ["message"]);
}

#[tokio::test]
async fn pages_that_nobody_has_connected_are_counted_and_never_refused() {
    let world = World::new().await;
    assert_eq!(world.facebook(fixture("facebook", "batch.json")).await, StatusCode::OK);
    let mut words = world.words().await;
    words.sort();
    assert_eq!(words, ["message", "system:ignored unknown_page"]);
    assert_eq!(world.facebook(fixture("facebook", "dashboard_test.json")).await, StatusCode::OK);
    assert!(world.words().await.contains(&"system:ignored test_post".to_owned()));
    world.registry.disable_connection(world.page.id).await.expect("disabled");
    world.registry.refresh().await.expect("refreshed");
    assert_eq!(world.facebook(facebook_text(PAGE, "m")).await, StatusCode::OK);
    assert!(world.words().await.contains(&"system:ignored disabled".to_owned()));
}

#[tokio::test]
async fn a_workspace_without_keys_takes_nothing_and_is_counted() {
    let world = World::new().await;
    world.keyring.destroy_workspace(world.workspace.id).await.expect("destroyed");
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(world.facebook(facebook_text(PAGE, "m")).await, StatusCode::OK);
    assert_eq!(world.line(fixture("line", "batch.json")).await, StatusCode::OK);
    let words = world.words().await;
    assert_eq!(words, ["system:ignored workspace_deleted"; 3], "{words:?}");
}

#[tokio::test]
async fn what_is_signed_and_does_not_read_is_a_dead_letter() {
    let world = World::new().await;
    let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
    for (body, word) in [
        (b"not json".to_vec(), "raw not_json"),
        (b"\xff\xfe".to_vec(), "raw not_json"),
        (b"".to_vec(), "raw not_json"),
        (deep.into_bytes(), "raw too_deep"),
        (b"{}".to_vec(), "raw wrong_schema"),
        (br#"{"destination":1,"events":[]}"#.to_vec(), "raw wrong_schema"),
        (line_text("1", NOW.0).replace(DESTINATION, "U0").into_bytes(), "raw wrong_schema"),
        (fixture("line", "unknown_event.json"), "raw unknown_event"),
    ] {
        let before = world.records().await.len();
        assert_eq!(world.line(body.clone()).await, StatusCode::OK);
        let records = world.words().await;
        assert_eq!(records.len(), before + 1);
        assert!(records.contains(&word.to_owned()), "{word} {records:?}");
    }
    let world = World::new().await;
    for body in [
        &b"not json"[..],
        b"{}",
        br#"{"object":"instagram","entry":[]}"#,
        br#"{"object":"page","entry":[{"id":null,"messaging":[{}]}]}"#,
    ] {
        assert_eq!(world.facebook(body).await, StatusCode::OK);
    }
    let words = world.words().await;
    assert_eq!(words.len(), 4);
    assert!(words.iter().all(|w| w.starts_with("system:raw") && w.ends_with("of nobody")), "{words:?}");
    assert!(world.metrics_text().contains(r#"chatmai_dead_letters_received_total{reason="wrong_schema"} 3"#));
}

#[tokio::test]
async fn one_bad_element_does_not_cost_the_others() {
    let world = World::new().await;
    let body = line_text("1", NOW.0).replace(
        r#""events":["#,
        r#""events":[5,{"type":"message","message":{"id":1.5},"source":{"type":"user","userId":"U1"}},{"type":"new"},"#,
    );
    assert_eq!(world.line(body).await, StatusCode::OK);
    let mut words = world.words().await;
    words.sort();
    assert_eq!(words, ["message", "raw unknown_event", "raw wrong_schema", "raw wrong_schema"]);
}

#[tokio::test]
async fn a_redelivered_dead_letter_has_the_same_id() {
    let world = World::new().await;
    let body = String::from_utf8(fixture("line", "unknown_event.json")).expect("utf-8");
    let again = body
        .replace(r#""isRedelivery": false"#, r#""isRedelivery":true"#)
        .replace(r#""isRedelivery":false"#, r#""isRedelivery":true"#);
    assert_ne!(body, again);
    let nameless = |mark: bool| {
        format!(
            r#"{{"destination":"{DESTINATION}","events":[{{"type":"new","deliveryContext":{{"isRedelivery":{mark}}}}}]}}"#
        )
    };
    for body in [body, again, nameless(false), nameless(true)] {
        assert_eq!(world.line(body).await, StatusCode::OK);
    }
    let ids: Vec<EventId> =
        world.records().await.iter().map(|(_, p)| if let Payload::Raw(r) = p { r.id } else { panic!() }).collect();
    assert_eq!((ids[0], ids[2]), (ids[1], ids[3]));
    assert_ne!(ids[0], ids[2]);
}

#[tokio::test]
async fn times_far_off_are_answered_with_200() {
    let world = World::new().await;
    assert_eq!(world.line(line_text("1970", 1000)).await, StatusCode::OK);
    assert_eq!(world.line(line_text("2099", 4_070_908_800_000)).await, StatusCode::OK);
    let edge = NOW.0 - 356 * 86_400_000;
    assert_eq!(world.line(line_text("edge", edge)).await, StatusCode::OK);
    assert_eq!(world.line(line_text("inside", edge + 1)).await, StatusCode::OK);
    assert_eq!(world.words().await, ["ignored too_old", "message", "ignored too_old", "message"]);
    let Payload::Event(event) = &world.records().await[1].1 else { panic!("an event") };
    assert_eq!((event.event_at, event.claimed_at), (NOW, Some(Millis(4_070_908_800_000))));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let world = World::new().await;
    let long = vec![b' '; (1 << 20) + 1];
    assert_eq!(world.line(long.clone()).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.line(long[1..].to_vec()).await, StatusCode::OK, "1 MiB of spaces is signed, and no JSON");
    let polled = Arc::new(AtomicUsize::new(0));
    let count = polled.clone();
    let endless = futures::stream::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 1 << 16]))
    });
    let request = line_request(world.line.id, "x", Body::from_stream(endless));
    assert_eq!(world.send(request).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(polled.load(Ordering::SeqCst) <= 17, "nothing is read beyond the limit");
    let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]);
    assert_eq!(world.send(line_request(world.line.id, "x", Body::from_stream(broken))).await, StatusCode::BAD_REQUEST);
    assert_eq!(world.words().await, ["raw not_json"]);
}

#[tokio::test]
async fn slow_encoded_and_overlong_headed_posts_are_refused() {
    let world = World::with(|settings| settings.read_timeout = Duration::from_millis(1)).await;
    let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>().boxed());
    assert_eq!(world.send(line_request(world.line.id, "x", never)).await, StatusCode::REQUEST_TIMEOUT);
    let post = || Request::post("/webhooks/facebook");
    let gzip = post().header("content-encoding", "gzip").body(Body::empty()).expect("a request");
    assert_eq!(world.send(gzip).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let plain = post().header("content-encoding", "identity").body(Body::empty()).expect("a request");
    assert_eq!(world.send(plain).await, StatusCode::UNAUTHORIZED);
    let long = post().header("x-long", "x".repeat(16 << 10)).body(Body::empty()).expect("a request");
    assert_eq!(world.send(long).await, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn all_bodies_together_have_a_limit_until_they_are_answered() {
    let world = World::with(|settings| settings.bodies_max = settings.body_max).await;
    let after = |bytes: usize| {
        let come = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b' '; bytes]))]);
        Body::from_stream(come.chain(futures::stream::pending()))
    };
    {
        // What is only promised takes no room; what has come does.
        let mut promised = std::pin::pin!(world.send(line_request(world.line.id, "x", after(0))));
        assert!(futures::poll!(promised.as_mut()).is_pending());
        assert_eq!(world.line(line_text("0", NOW.0)).await, StatusCode::OK);
        let mut first = std::pin::pin!(world.send(line_request(world.line.id, "x", after(1 << 20))));
        assert!(futures::poll!(first.as_mut()).is_pending());
        assert_eq!(world.line(line_text("1", NOW.0)).await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(world.facebook(facebook_text(PAGE, "m")).await, StatusCode::SERVICE_UNAVAILABLE);
    }
    // Who leaves, and what is answered, makes room again.
    for _ in 0..3 {
        assert_eq!(world.line(vec![b' '; 1 << 20]).await, StatusCode::OK);
        assert_eq!(world.send(line_request(world.line.id, "x", vec![b' '; 1 << 20])).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_log_that_stalls_is_a_503() {
    let world = World::with(|settings| settings.append_timeout = Duration::from_millis(1)).await;
    world.log.stalled.store(true, Ordering::SeqCst);
    assert_eq!(world.line(line_text("1", NOW.0)).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.facebook(facebook_text(PAGE, "m")).await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn more_entries_than_a_platform_sends_are_one_dead_letter() {
    let world = World::new().await;
    let post = |entries: usize| {
        let entries: Vec<_> = (0..entries).map(|n| format!(r#"{{"id":"{n}","messaging":[]}}"#)).collect();
        format!(r#"{{"object":"page","entry":[{}]}}"#, entries.join(","))
    };
    assert_eq!(world.facebook(post(1000)).await, StatusCode::OK);
    assert_eq!(world.log.appends.load(Ordering::SeqCst), 0);
    assert_eq!(world.facebook(post(1001)).await, StatusCode::OK);
    assert_eq!(world.words().await, ["system:raw wrong_schema of nobody"]);
}

#[tokio::test]
async fn what_the_log_does_not_take_is_a_503() {
    let world = World::new().await;
    world.log.broken.store(true, Ordering::SeqCst);
    assert_eq!(world.line(line_text("1", NOW.0)).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.facebook(fixture("facebook", "batch.json")).await, StatusCode::SERVICE_UNAVAILABLE);
    world.log.broken.store(false, Ordering::SeqCst);
    assert_eq!(world.line(line_text("1", NOW.0)).await, StatusCode::OK);
    assert_eq!(world.words().await, ["message"]);
}

#[tokio::test]
async fn a_connection_check_appends_nothing() {
    let world = World::new().await;
    assert_eq!(world.line(fixture("line", "connection_check_empty.json")).await, StatusCode::OK);
    assert_eq!(world.facebook(r#"{"object":"page","entry":[]}"#).await, StatusCode::OK);
    assert_eq!(world.log.appends.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn copies_have_one_id() {
    let world = World::new().await;
    for n in 0..10 {
        world.clock.advance(Duration::from_secs(n));
        assert_eq!(world.line(fixture("line", "text.json")).await, StatusCode::OK);
    }
    let records = world.records().await;
    let ids: std::collections::HashSet<_> =
        records.iter().map(|(_, p)| if let Payload::Event(e) = p { (e.id, e.event_at) } else { panic!() }).collect();
    assert_eq!((records.len(), ids.len()), (10, 1));
}

#[tokio::test]
async fn floods_are_refused_by_connection_and_by_address() {
    let world = World::with(|settings| (settings.rate.per_connection, settings.rate.per_address) = (2, 5)).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(world.line(line_text("1", NOW.0)).await.as_u16());
    }
    assert_eq!(seen, [200, 200, 429]);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.line(line_text("1", NOW.0)).await, StatusCode::OK);
    let mut seen = Vec::new();
    for _ in 0..6 {
        let mut request = line_request("x", "x", Body::empty());
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>("192.0.2.7:1".parse().expect("an address")));
        seen.push(world.send(request).await.as_u16());
    }
    assert_eq!(seen, [404, 404, 404, 404, 404, 429]);
}

#[tokio::test]
async fn the_handshake_gives_the_challenge_back_as_it_is() {
    let world = World::new().await;
    let ask = |query: &str| Request::get(format!("/webhooks/facebook?{query}")).body(Body::empty()).expect("a request");
    let answer = world
        .router()
        .oneshot(ask("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=verify-me"))
        .await
        .expect("infallible");
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/plain");
    let body = axum::body::to_bytes(answer.into_body(), 1000).await.expect("a body");
    assert_eq!(&body[..], b"1158201444");
    for query in [
        "",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=other",
        "hub_mode=subscribe&hub_challenge=1&hub_verify_token=verify-me",
    ] {
        assert_eq!(world.send(ask(query)).await, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn without_an_app_there_is_no_facebook_webhook() {
    let world = World::with(|settings| settings.apps.clear()).await;
    assert_eq!(world.facebook(facebook_text(PAGE, "m")).await, StatusCode::NOT_FOUND);
    let ask =
        Request::get("/webhooks/facebook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=").body(Body::empty());
    assert_eq!(world.send(ask.expect("a request")).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_replay_reads_bodies_and_elements_with_the_parser_of_today() {
    let world = World::new().await;
    let intake = world.ingest.intake();
    let (line, page) = (Some(world.line.id), Some(world.page.id));
    let element = |platform: &str, name: &str, list: &str| -> Vec<u8> {
        let value: serde_json::Value = serde_json::from_slice(&fixture(platform, name)).expect("json");
        let value = if platform == "line" { &value["events"][0] } else { &value["entry"][0][list][0] };
        serde_json::to_vec(value).expect("json")
    };
    for (platform, connection, bytes) in [
        (Platform::Line, line, fixture("line", "text.json")),
        (Platform::Line, line, element("line", "text.json", "")),
        (Platform::Facebook, page, element("facebook", "text.json", "messaging")),
        (Platform::Facebook, page, element("facebook", "inbox_labels.json", "changes")),
        (Platform::Facebook, None, fixture("facebook", "text.json")),
        (Platform::Line, line, element("line", "unknown_event.json", "")),
    ] {
        assert_eq!(intake.replay(platform, connection, &bytes).await.expect("replayed").records, 1);
    }
    let mut words = world.words().await;
    words.sort();
    assert_eq!(words, ["inbox_label", "message", "message", "message", "message", "raw unknown_event"]);
    let ids: Vec<_> = world
        .records()
        .await
        .iter()
        .filter_map(|(_, p)| if let Payload::Event(e) = p { Some((e.kind, e.id)) } else { None })
        .collect();
    assert_eq!(ids.iter().filter(|i| i.0 == Kind::Message).collect::<std::collections::HashSet<_>>().len(), 2);
    assert!(intake.replay(Platform::Shopee, None, b"{}").await.is_err());
    assert!(intake.replay(Platform::Line, Some(ConnectionId([5; 16])), b"{}").await.is_err());
}

#[tokio::test]
async fn slots_are_those_of_the_workspace() {
    let world = World::new().await;
    assert_eq!(world.line(line_text("1", NOW.0)).await, StatusCode::OK);
    let log: &dyn event_log::EventLog = world.log.as_ref();
    assert_eq!(log.end(world.workspace.slot).await.expect("an end").0, 1);
    assert_eq!(log.end(Slot(1 - world.workspace.slot.0)).await.expect("an end").0, 0);
}
