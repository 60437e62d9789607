//! What the lists and items hold.
use crate::{
    fake::position,
    world::{World, id},
};
use query_api::engine::types::{AssigneeFilter, ShownStatus};
use schemas::{ids::LogEpoch, kind::Platform, log::Slot};
use serde_json::{Value, json};

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Walks to the end and back; returns what was seen forward. Back, the same pages have to come.
async fn walk(world: &World, path: &str) -> Vec<String> {
    let join = if path.contains('?') { '&' } else { '?' };
    let mut pages = vec![world.get(&world.ours.read, path).await.ok()];
    while let Some(cursor) = pages.last().expect("one")["next_cursor"].as_str() {
        pages.push(world.get(&world.ours.read, &format!("{path}{join}cursor={cursor}")).await.ok());
    }
    let mut back = pages.last().expect("one").clone();
    for page in pages.iter().rev().skip(1) {
        let cursor = back["prev_cursor"].as_str().expect("a page before").to_owned();
        back = world.get(&world.ours.read, &format!("{path}{join}cursor={cursor}")).await.ok();
        assert_eq!(ids(&back), ids(page));
    }
    assert_eq!(back["prev_cursor"], Value::Null);
    pages.iter().flat_map(ids).collect()
}

#[tokio::test]
async fn the_inbox_walks_both_ways() {
    let world = World::new().await;
    let all: Vec<String> = (1..=7).rev().map(id).collect();
    for limit in [1, 2, 3, 7, 200] {
        assert_eq!(walk(&world, &format!("/v1/conversations?limit={limit}")).await, all);
    }
    let open: Vec<String> = [6, 4, 2].map(id).into();
    assert_eq!(walk(&world, "/v1/conversations?status=open&limit=1").await, open);
}

#[tokio::test]
async fn messages_walk_both_ways_in_both_orders() {
    let world = World::new().await;
    let path = format!("/v1/conversations/{}/messages", id(1));
    let newest: Vec<String> = (1..=5).rev().map(id).collect();
    let oldest: Vec<String> = (1..=5).map(id).collect();
    assert_eq!(walk(&world, &format!("{path}?limit=2")).await, newest);
    assert_eq!(walk(&world, &format!("{path}?limit=2&order=newest")).await, newest);
    assert_eq!(walk(&world, &format!("{path}?limit=2&order=oldest")).await, oldest);
}

#[tokio::test]
async fn lists_have_the_contracts_fields() {
    let world = World::new().await;
    let messages = format!("/v1/conversations/{}/messages", id(1));
    for path in ["/v1/conversations", messages.as_str(), "/v1/events"] {
        let page = world.get(&world.ours.read, path).await.ok();
        assert_eq!(keys(&page), ["complete_through", "items", "next_cursor", "position", "prev_cursor"]);
        assert_eq!(page["position"], position(world.ours.workspace.slot, 5).to_string());
        assert_eq!(keys(&page["complete_through"]), ["import", "members", "webhooks"]);
        assert_eq!(page["complete_through"]["webhooks"], "2026-11-22T08:15:30.123Z");
    }
    let item = world.get(&world.ours.read, &format!("/v1/conversations/{}", id(1))).await.ok();
    assert_eq!((item["id"].as_str(), item["contact"]["name"].as_str()), (Some(id(1).as_str()), Some("Somchai 1")));
    assert_eq!(item["position"], position(world.ours.workspace.slot, 5).to_string());
    let counts = world.get(&world.ours.read, "/v1/conversations/counts").await.ok();
    assert_eq!(counts["total"], 7);
    assert_eq!(counts["by_status"]["open"], 7);
    assert!(counts["position"].is_string());
    assert_eq!((&counts["unassigned"], &counts["by_assignee"]), (&json!(0), &json!({})));
}

#[tokio::test]
async fn events_go_on_where_they_ended_and_again() {
    let world = World::new().await;
    let (mut seen, mut path) = (Vec::new(), "/v1/events?limit=2".to_owned());
    for _ in 0..4 {
        let page = world.get(&world.ours.read, &path).await.ok();
        seen.extend(ids(&page));
        assert_eq!(page["prev_cursor"], Value::Null);
        path = format!("/v1/events?limit=2&after={}", page["next_cursor"].as_str().expect("never null"));
    }
    assert_eq!(seen, (1..=5).map(id).collect::<Vec<_>>());
    let connection = world.ours.connection;
    world.answers.with(world.ours.workspace.id, |shelf| shelf.events.push(crate::items::event(9, connection)));
    assert_eq!(ids(&world.get(&world.ours.read, &path).await.ok()), [id(9)]);
}

#[tokio::test]
async fn filters_arrive_as_they_were_asked() {
    let world = World::new().await;
    for list in ["/v1/conversations", "/v1/conversations/counts"] {
        let connection = world.ours.connection;
        let path =
            format!("{list}?status=snoozed&platform=line&connection={connection}&unread=true&assignee=b%26b%20%3D");
        world.get(&world.ours.read, &path).await.ok();
        let filter = world.answers.filter.lock().clone().expect("asked");
        assert_eq!(filter.status, Some(ShownStatus::Snoozed));
        assert_eq!(filter.platform, Some(Platform::Line));
        assert_eq!(filter.connection, Some(connection));
        assert_eq!(filter.unread, Some(true));
        assert_eq!(filter.assignee, Some(AssigneeFilter::Agent("b&b =".to_owned())));
        world.get(&world.ours.read, &format!("{list}?assignee=none&unread=false")).await.ok();
        let filter = world.answers.filter.lock().clone().expect("asked");
        assert_eq!((filter.assignee, filter.unread), (Some(AssigneeFilter::Nobody), Some(false)));
    }
}

#[tokio::test]
async fn min_position_waits_refuses_and_says_why() {
    let world = World::new().await;
    let slot = world.ours.workspace.slot;
    let one = format!("/v1/conversations/{}", id(1));
    let messages = format!("{one}/messages");
    let gets = ["/v1/conversations", "/v1/conversations/counts", &one, &messages, "/v1/events"];
    for path in gets.into_iter().chain(["/v1/events/stream"]) {
        let at = |position: String| format!("{path}?min_position={position}");
        let key = &world.ours.read;
        if path != "/v1/events/stream" {
            world.get(key, &at(position(slot, 5).to_string())).await.ok();
        }
        let late = world.get(key, &at(position(slot, 1 << 40).to_string())).await;
        late.is(503, "not_yet");
        assert_eq!(late.header("retry-after"), "1");
        world.get(key, &at("yesterday".to_owned())).await.is(400, "bad_parameter");
        world.get(key, &at(String::new())).await.is(400, "bad_parameter");
        world.get(key, &at(position(Slot(slot.0 + 1), 1).to_string())).await.is(410, "position_unknown");
        let mut other = position(slot, 1);
        other.epoch = LogEpoch([8; 16]);
        world.get(key, &at(other.to_string())).await.is(410, "position_unknown");
    }
}

#[tokio::test]
async fn a_cursor_of_a_future_that_was_lost_is_refused() {
    let world = World::new().await;
    let page = world.get(&world.ours.read, "/v1/events?limit=1").await.ok();
    let cursor = page["next_cursor"].as_str().expect("a cursor").to_owned();
    let next = format!("/v1/events?after={cursor}");
    world.get(&world.ours.read, &next).await.ok();
    // An older copy of the log was put back.
    world.answers.with(world.ours.workspace.id, |shelf| (shelf.at, shelf.events) = (0, Vec::new()));
    world.get(&world.ours.read, &next).await.is(410, "position_unknown");
}
