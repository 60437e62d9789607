//! No log line of ingest holds what a person wrote, who they are, or what a secret is (`security.md` §11).
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
mod support;
#[path = "support/world.rs"]
mod world;

use axum::http::StatusCode;
use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex, atomic::Ordering},
};
use support::*;
use tracing::{Event, Metadata, Subscriber, field::Visit, span};
use world::*;

/// Writes every field of every event down.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("a string");
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("ingest")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().expect("lock");
        event.record(&mut Fields(&mut text));
        text.push('\n');
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn refused_posts_do_not_fill_the_log() {
    let world = World::new().await;
    let listener = Listener::default();
    // Somebody has to listen for the whole of the process: a place that another test comes to first, while nobody does,
    // may stay silent for good. A second call changes nothing.
    let _ = tracing::subscriber::set_global_default(Listener::default());
    let _guard = tracing::subscriber::set_default(listener.clone());
    for lines in 1..=2 {
        for _ in 0..5 {
            let refused = line_request(world.line.id, "c2lnbmF0dXJl", "{}");
            assert_eq!(world.send(refused).await, StatusCode::UNAUTHORIZED);
        }
        let text = listener.0.lock().expect("lock").clone();
        assert_eq!(text.matches("signature does not hold").count(), lines, "{text}");
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    let counted = format!("chatmai_signature_failures_total{{connection=\"{}\"}} 10", world.line.id);
    assert!(world.metrics_text().contains(&counted));
}

#[tokio::test]
async fn logs_name_connections_and_sizes_only() {
    let world = World::new().await;
    let listener = Listener::default();
    // Somebody has to listen for the whole of the process: a place that another test comes to first, while nobody does,
    // may stay silent for good. A second call changes nothing.
    let _ = tracing::subscriber::set_global_default(Listener::default());
    let _guard = tracing::subscriber::set_default(listener.clone());
    let body = fixture("line", "text.json");
    assert_eq!(world.line(body.clone()).await, StatusCode::OK);
    assert_eq!(world.facebook(fixture("facebook", "text.json")).await, StatusCode::OK);
    assert_eq!(world.line(b"not json but signed".to_vec()).await, StatusCode::OK);
    let refused = line_request(world.line.id, "c2lnbmF0dXJl", body.clone());
    assert_eq!(world.send(refused).await, StatusCode::UNAUTHORIZED);
    world.log.broken.store(true, Ordering::SeqCst);
    assert_eq!(world.line(body).await, StatusCode::SERVICE_UNAVAILABLE);
    let text = listener.0.lock().expect("lock").clone();
    assert!(text.contains(&world.line.id.to_string()) && text.lines().count() >= 5, "{text}");
    for canary in [
        "こんにちは",
        "U2bd806c97",
        "610830548529053001",
        "blue mug",
        "7012345678901234",
        "not json but",
        "c2lnbmF0dXJl",
        "0123456789abcdef",
        "f298274dd9",
    ] {
        assert!(!text.contains(canary), "{canary}: {text}");
    }
}
