//! What the log says about requests, and what it must not.
use crate::world::{World, id};
use parking_lot::Mutex;
use query_api::engine::types::QueryError;
use std::{fmt, sync::Arc};
use tracing::{Event, Metadata, Subscriber, field, span};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl field::Visit for Line {
    fn record_debug(&mut self, field: &field::Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut line = Line("span".to_owned());
        attributes.record(&mut line);
        self.0.lock().push(line.0);
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.0.lock().push(line.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_line_per_request_without_anything_of_anybody() {
    let world = World::new().await;
    let lines = Lines::default();
    // Somebody has to listen for the whole of the process: a place that another test comes to first, while nobody does,
    // may stay silent for good. A second call changes nothing.
    let _ = tracing::subscriber::set_global_default(Lines::default());
    let guard = tracing::subscriber::set_default(lines.clone());
    let answer = world.get(&world.ours.read, "/v1/conversations?assignee=somchai").await;
    answer.ok();
    world.get(&world.ours.read, "/v1/conversations?somchai=1").await.is(400, "bad_parameter");
    world.get(&world.ours.read, "/v1/somchai").await.is(404, "not_found");
    let path = format!("/v1/conversations/{}/read", id(1));
    world.post(&world.ours.write, &path, r#"{"until":"somchai"}"#).await.is(400, "bad_body");
    *world.answers.failing.lock() = Some(|| QueryError::Integrity("page 3".into()));
    world.get(&world.ours.read, "/v1/conversations").await.is(500, "integrity");
    drop(guard);
    let text = lines.0.lock().join("\n");
    let first = text.lines().find(|line| line.contains(answer.header("x-request-id"))).expect("its line");
    assert!(first.contains(r#"route="/v1/conversations""#) && first.contains("status=200"), "{first}");
    assert!(first.contains("milliseconds="), "{first}");
    assert!(text.contains("page 3"), "the operator has to know");
    for never in ["somchai", "Somchai", &world.ours.read, &world.ours.write, "สวัสดี", &id(1)] {
        assert!(!text.contains(never), "{never} in\n{text}");
    }
}
