//! The live stream.
use crate::{
    fake::position,
    items,
    sse::{Events, Sent},
    world::{World, id, request},
};
use axum::http::Method;
use query_api::{
    engine::types::Change,
    http::{ApiSettings, answers::Live},
};
use records::Position;
use schemas::{ids::ConversationId, ids::LogEpoch};
use std::time::Duration;

const STREAM: &str = "/v1/events/stream";

async fn open(world: &World, last: Option<&str>) -> Events {
    let mut asked = request(Method::GET, &world.ours.read, STREAM);
    if let Some(last) = last {
        asked.headers_mut().insert("last-event-id", last.parse().expect("a value"));
    }
    let response = world.open(asked).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Events::of(response.into_body())
}

fn at(world: &World, next: u64) -> Position {
    position(world.ours.workspace.slot, next)
}

fn created(n: u8) -> Change {
    Change::MessageCreated(items::message(n, ConversationId([1; 16])))
}

fn changed(world: &World, n: u8) -> Change {
    Change::ConversationChanged(items::conversation(n, world.ours.connection))
}

fn live(world: &World, next: u64, change: Change) -> Live {
    Live::Change(at(world, next), Box::new(change))
}

fn tell(world: &World, what: impl IntoIterator<Item = Live>) {
    world.answers.tell(world.ours.workspace.id, what);
}

/// The id that such an event has.
fn mark(event: &str, position: Position) -> String {
    format!("{position}{}", if event.starts_with("message.") { ".m" } else { "" })
}

#[track_caller]
fn is(sent: Option<Sent>, event: &str, item: u8, position: Position) {
    let sent = sent.expect("an event");
    assert_eq!((sent.event.as_str(), sent.id), (event, mark(event, position)));
    assert_eq!(sent.data["id"], id(item));
}

#[tokio::test]
async fn changes_arrive_as_the_items_of_the_lists() {
    let world = World::new().await;
    let mut events = open(&world, None).await;
    let amended = Change::MessageAmended(items::message(2, ConversationId([1; 16])));
    tell(&world, [live(&world, 6, created(1)), live(&world, 7, amended), live(&world, 8, changed(&world, 3))]);
    let first = events.frame().await.expect("a frame");
    let lines: Vec<_> = first.lines().collect();
    let data = serde_json::to_string(&items::message(1, ConversationId([1; 16]))).expect("JSON");
    assert_eq!(lines.len(), 3, "one line each, whatever the text holds");
    assert!(lines.contains(&"event: message.created"));
    assert!(lines.contains(&format!("id: {}.m", at(&world, 6)).as_str()));
    assert!(lines.contains(&format!("data: {data}").as_str()));
    is(events.next().await, "message.amended", 2, at(&world, 7));
    is(events.next().await, "conversation.changed", 3, at(&world, 8));
}

#[tokio::test]
async fn a_stream_hears_its_own_workspace_only() {
    let world = World::new().await;
    let mut events = open(&world, None).await;
    world.answers.tell(world.theirs.workspace.id, [live(&world, 6, created(101))]);
    tell(&world, [live(&world, 7, created(1))]);
    is(events.next().await, "message.created", 1, at(&world, 7));
}

#[tokio::test]
async fn who_leaves_anywhere_goes_on_right_there() {
    let world = World::new().await;
    let mut events = open(&world, None).await;
    let changes = [
        (at(&world, 6), created(1)),
        (at(&world, 6), changed(&world, 1)),
        (at(&world, 7), created(2)),
        (at(&world, 9), changed(&world, 3)),
        (at(&world, 10), created(4)),
        (at(&world, 10), changed(&world, 4)),
    ];
    tell(&world, changes.iter().map(|(position, change)| Live::Change(*position, Box::new(change.clone()))));
    world.answers.with(world.ours.workspace.id, |shelf| shelf.changes = Some(changes.to_vec()));
    let mut all = Vec::new();
    for _ in &changes {
        all.push(events.next().await.expect("an event"));
    }
    for (left, last) in all.iter().enumerate() {
        let mut again = open(&world, Some(&last.id)).await;
        for wanted in &all[left + 1..] {
            assert_eq!(again.next().await.as_ref(), Some(wanted), "after {left}");
        }
        // Ids are positions that lists can be asked to have reached.
        world.answers.with(world.ours.workspace.id, |shelf| shelf.at = 10);
        world.get(&world.ours.read, &format!("/v1/conversations?min_position={}", last.id)).await.ok();
    }
}

#[tokio::test]
async fn resuming_has_no_gap_and_says_nothing_twice() {
    let world = World::new().await;
    world.answers.with(world.ours.workspace.id, |shelf| {
        shelf.changes =
            Some(vec![(at(&world, 6), created(1)), (at(&world, 7), created(2)), (at(&world, 7), changed(&world, 2))]);
        // The subscription is older than the replay: it has heard the same, and more.
        shelf.at_once = vec![
            live(&world, 6, created(1)),
            live(&world, 7, created(2)),
            live(&world, 7, changed(&world, 2)),
            live(&world, 8, created(3)),
        ];
    });
    let mut events = open(&world, Some(&at(&world, 5).to_string())).await;
    is(events.next().await, "message.created", 1, at(&world, 6));
    is(events.next().await, "message.created", 2, at(&world, 7));
    is(events.next().await, "conversation.changed", 2, at(&world, 7));
    is(events.next().await, "message.created", 3, at(&world, 8));
}

async fn is_reset(world: &World, events: &mut Events) {
    let sent = events.next().await.expect("an event");
    let position = at(world, 5).to_string();
    assert_eq!(
        sent,
        Sent { event: "reset".into(), id: position.clone(), data: serde_json::json!({"position": position}) }
    );
    tell(world, [live(world, 9, created(4))]);
    is(events.next().await, "message.created", 4, at(world, 9));
}

#[tokio::test]
async fn what_is_too_old_foreign_or_too_much_is_a_reset_and_then_live() {
    let world = World::with(ApiSettings { replay: 2, ..ApiSettings::default() }).await;
    is_reset(&world, &mut open(&world, Some(&at(&world, 1).to_string())).await).await;
    let mut foreign = at(&world, 1);
    foreign.epoch = LogEpoch([9; 16]);
    is_reset(&world, &mut open(&world, Some(&foreign.to_string())).await).await;
    // Of a future that the log lost, as when an older copy of it was put back.
    is_reset(&world, &mut open(&world, Some(&at(&world, 6).to_string())).await).await;
    let changes: Vec<_> = (2..=4).map(|n| (at(&world, n), created(1))).collect();
    world.answers.with(world.ours.workspace.id, |shelf| shelf.changes = Some(changes));
    is_reset(&world, &mut open(&world, Some(&at(&world, 1).to_string())).await).await;
    let mut enough = open(&world, Some(&at(&world, 2).to_string())).await;
    is(enough.next().await, "message.created", 1, at(&world, 3));
}

#[tokio::test]
async fn who_lags_is_told() {
    let world = World::new().await;
    let mut events = open(&world, None).await;
    tell(&world, [live(&world, 6, created(1)), Live::Reset]);
    is(events.next().await, "message.created", 1, at(&world, 6));
    is_reset(&world, &mut events).await;
}

#[tokio::test]
async fn an_id_that_is_none_is_refused() {
    let world = World::new().await;
    let mut asked = request(Method::GET, &world.ours.read, STREAM);
    asked.headers_mut().insert("last-event-id", "seven".parse().expect("a value"));
    world.send(asked).await.is(400, "bad_parameter");
    drop(open(&world, Some("")).await);
}

#[tokio::test]
async fn a_revoked_key_hears_nothing_more_and_the_stream_ends() {
    let world = World::new().await;
    let (mut talking, mut silent) = (open(&world, None).await, open(&world, None).await);
    tell(&world, [live(&world, 6, created(1))]);
    is(talking.next().await, "message.created", 1, at(&world, 6));
    is(silent.next().await, "message.created", 1, at(&world, 6));
    world.registry.revoke_key(world.ours.read_id).await.expect("revoked");
    world.registry.refresh().await.expect("a view");
    // Nothing wakes this one but its own look at the key.
    assert_eq!(silent.next().await, None);
    tell(&world, [live(&world, 7, created(2))]);
    assert_eq!(talking.next().await, None);
}

#[tokio::test]
async fn streams_end_when_the_api_closes_or_the_engine_does() {
    let world = World::with(ApiSettings { key_check: Duration::from_secs(3600), ..ApiSettings::default() }).await;
    let mut ended = open(&world, None).await;
    world.answers.with(world.ours.workspace.id, |shelf| shelf.subscribers.clear());
    assert_eq!(ended.next().await, None);
    let mut closed = open(&world, None).await;
    let waiting = tokio::spawn(async move { closed.next().await });
    tokio::task::yield_now().await;
    world.api.close_streams();
    assert_eq!(waiting.await.expect("it ends"), None);
    assert_eq!(open(&world, None).await.next().await, None, "new ones end at once");
}

#[tokio::test]
async fn a_silent_stream_says_that_it_lives() {
    let world = World::with(ApiSettings { keep_alive: Duration::from_millis(1), ..ApiSettings::default() }).await;
    let mut events = open(&world, None).await;
    assert_eq!(events.frame().await.expect("a frame"), ": keep-alive");
}

#[tokio::test]
async fn a_workspace_has_so_many_streams_and_no_more() {
    let world = World::with(ApiSettings { streams_per_workspace: 2, ..ApiSettings::default() }).await;
    let (first, second) = (open(&world, None).await, open(&world, None).await);
    let refused = world.get(&world.ours.write, STREAM).await;
    refused.is(429, "too_many_streams");
    assert_eq!(refused.header("retry-after"), "1");
    let other = world.open(request(Method::GET, &world.theirs.read, STREAM)).await;
    assert_eq!(other.status(), 200, "another workspace has its own");
    drop(first);
    let _third = open(&world, None).await;
    world.get(&world.ours.read, STREAM).await.is(429, "too_many_streams");
    drop(second);
    drop(open(&world, None).await);
}
