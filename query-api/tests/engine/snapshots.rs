//! Snapshot and tail meet without gap or overlap, whatever lands meanwhile.
use crate::{
    build::{after, agent, conversation, customer, event, id},
    world::{LONG, NOON, World, all_events, settings},
};
use query_api::engine::{
    EngineSettings,
    types::{ConversationItem, InboxFilter, Order, QueryError, ShownStatus, Walk},
};
use records::Position;
use schemas::{
    ids::WorkspaceId,
    kind::Kind,
    log::{Offset, Slot},
    time::Millis,
};
use std::time::Duration;

fn day(n: i64) -> Millis {
    Millis(NOON.0 - n * 86_400_000)
}

async fn texts(engine: &query_api::engine::Engine, ws: WorkspaceId, of: u32) -> Vec<String> {
    let page = engine.messages(ws, conversation(of), Order::Oldest, Walk::Start, 200).await.expect("messages");
    page.items.into_iter().map(|m| m.text.unwrap_or_default()).collect()
}

async fn inbox(engine: &query_api::engine::Engine, ws: WorkspaceId) -> Vec<ConversationItem> {
    let filter = InboxFilter::default();
    engine.conversations(ws, &filter, Walk::Start, 200).await.expect("a page").items
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_seen_once_while_snapshots_come() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let running = world.engine().await;
    let fresh = world.engine_with(EngineSettings { tail_bytes: 0, window_bytes: 4096, ..settings() }).await;
    let mut expected = Vec::new();
    for round in 0..6u32 {
        let events: Vec<_> = (0..20)
            .map(|n| customer(round * 20 + n, n % 3, after(day(i64::from(n % 4)), i64::from(round * 20 + n))))
            .collect();
        let start = world.end(&ws).await;
        let position = world.tell(&running, &ws, &events).await;
        fresh.reach(ws.id, position, LONG).await.expect("reached");
        expected.extend(events.iter().enumerate().map(|(n, e)| (Offset(start.0 + n as u64), e.id.0)));
        for engine in [&running, &fresh] {
            assert_eq!(all_events(engine, ws.id, 7).await, expected);
            let items = inbox(engine, ws.id).await;
            assert_eq!(items.iter().map(|i| i.message_count).sum::<u64>(), expected.len() as u64);
            let sizes = [
                texts(engine, ws.id, 0).await.len(),
                texts(engine, ws.id, 1).await.len(),
                texts(engine, ws.id, 2).await.len(),
            ];
            assert_eq!(sizes.iter().sum::<usize>(), expected.len());
        }
        let reference = inbox(&running, ws.id).await;
        // Half of the round's records land, so that a page crosses the border.
        world.land(ws.slot, Offset(position.next.0 - 10)).await;
        if round % 2 == 1 {
            world.derive(ws.id, ws.slot).await;
        }
        if round == 4 {
            world.compact(ws.id, ws.slot).await;
        }
        running.refresh().await.expect("refreshed");
        assert_eq!(running.pins()[ws.slot.0 as usize], (ws.slot, Offset(position.next.0 - 10)));
        assert_eq!(running.tail_stats()[ws.slot.0 as usize].rows, 10);
        // One that was loaded before, one that still stands on the first snapshot, and one that begins now.
        let begun = world.engine().await;
        begun.reach(ws.id, position, LONG).await.expect("reached");
        for engine in [&running, &fresh, &begun] {
            assert_eq!(all_events(engine, ws.id, 7).await, expected);
            assert_eq!(inbox(engine, ws.id).await, reference);
        }
    }
    fresh.refresh().await.expect("refreshed");
    assert_eq!(all_events(&fresh, ws.id, 1000).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_are_dropped_on_both_sides_of_the_border() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let first = [customer(1, 1, NOON), customer(2, 1, after(NOON, 5))];
    let landed = world.append(&ws, &first).await;
    world.land(ws.slot, landed.next).await;
    let engine = world.engine().await;
    world.tell(&engine, &ws, &[first[0].clone(), customer(3, 1, after(NOON, 6)), customer(3, 1, after(NOON, 6))]).await;
    let position = world.tell(&engine, &ws, &[first[1].clone(), customer(3, 1, after(NOON, 6))]).await;
    for _ in 0..2 {
        assert_eq!(texts(&engine, ws.id, 1).await, ["text 1", "text 2", "text 3"]);
        assert_eq!(engine.conversation(ws.id, conversation(1)).await.expect("there").message_count, 3);
        let ids: Vec<_> = all_events(&engine, ws.id, 2).await.into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, [id(1).0, id(2).0, id(3).0]);
        // Once all of it has landed the answer is the same: land drops what the tail dropped.
        world.land(ws.slot, position.next).await;
        engine.refresh().await.expect("refreshed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workspaces_with_equal_ids_see_nothing_of_each_other() {
    let world = World::new().await;
    let (a, b, c) =
        (world.workspace("a", None).await, world.workspace("b", None).await, world.workspace("c", None).await);
    let engine = world.engine_with(EngineSettings { index_bytes: 0, ..settings() }).await;
    let mut other = customer(1, 1, NOON);
    other.message.as_mut().expect("a message").text = Some("other".into());
    let position = world.append(&a, &[customer(1, 1, NOON), customer(2, 2, NOON)]).await;
    world.land(a.slot, position.next).await;
    world.tell(&engine, &b, &[other]).await;
    world.tell(&engine, &a, &[customer(4, 1, after(NOON, 1))]).await;
    assert_eq!(texts(&engine, b.id, 1).await, ["other"]);
    assert_eq!(texts(&engine, a.id, 1).await, ["text 1", "text 4"]);
    assert_eq!(
        (inbox(&engine, a.id).await.len(), inbox(&engine, b.id).await.len(), inbox(&engine, c.id).await.len()),
        (2, 1, 0)
    );
    let missing = engine.conversation(b.id, conversation(2)).await;
    assert!(matches!(missing, Err(QueryError::NotFound)));
    let foreign = engine.messages(c.id, conversation(1), Order::Newest, Walk::Start, 10).await;
    assert!(matches!(foreign, Err(QueryError::NotFound)));
    assert!(matches!(engine.position(WorkspaceId([9; 16])), Err(QueryError::NotFound)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_event_folds_the_status_again() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let engine = world.engine().await;
    let status = async |engine: &query_api::engine::Engine| {
        engine.conversation(ws.id, conversation(1)).await.expect("there").status
    };
    let close = |n, at| event(n, 1, at, Kind::Close, "{}");
    // A customer wrote after the close, but the close comes last.
    world.tell(&engine, &ws, &[customer(1, 1, day(3)), agent(2, 1, day(2)), customer(3, 1, day(1))]).await;
    world.land(ws.slot, world.end(&ws).await).await;
    world.tell(&engine, &ws, &[close(4, after(day(1), -60))]).await;
    assert_eq!(status(&engine).await, ShownStatus::Open);
    world.tell(&engine, &ws, &[close(5, after(day(1), 60))]).await;
    assert_eq!(status(&engine).await, ShownStatus::Closed);
    engine.refresh().await.expect("refreshed");
    // Between the message and the second close: changes nothing. After it: opens again, although it comes from before.
    world.tell(&engine, &ws, &[customer(6, 1, after(day(1), 30))]).await;
    assert_eq!(status(&engine).await, ShownStatus::Closed);
    world.tell(&engine, &ws, &[customer(7, 1, NOON), customer(8, 1, after(day(1), 90))]).await;
    assert_eq!(status(&engine).await, ShownStatus::Open);
    // From files alone.
    world.land(ws.slot, world.end(&ws).await).await;
    assert_eq!(status(&world.engine().await.engine).await, ShownStatus::Open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_is_waited_for_and_a_foreign_one_is_unknown() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let engine = world.engine().await;
    let position = world.tell(&engine, &ws, &[customer(1, 1, NOON)]).await;
    assert!(engine.position(ws.id).expect("a position").next >= position.next);
    let future = Position { next: position.next.next(), ..position };
    let waiting = {
        let engine = engine.engine.clone();
        tokio::spawn(async move { engine.reach(ws.id, future, LONG).await })
    };
    let late = engine.reach(ws.id, Position { next: Offset(1 << 40), ..position }, Duration::from_millis(1)).await;
    assert!(matches!(late, Err(QueryError::Unavailable(_))));
    world.append(&world.registry.view().workspaces[&ws.id].as_ref().clone(), &[customer(2, 1, NOON)]).await;
    waiting.await.expect("joined").expect("reached");
    for unknown in
        [Position { slot: Slot(position.slot.0 + 1), ..position }, Position { epoch: Default::default(), ..position }]
    {
        assert!(matches!(engine.reach(ws.id, unknown, LONG).await, Err(QueryError::PositionUnknown)));
    }
    assert_eq!(engine.complete_through(ws.id).len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_gone_are_replaced_by_the_newest() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    world.append(&ws, &[customer(1, 1, day(2)), customer(2, 1, day(1))]).await;
    world.land(ws.slot, world.end(&ws).await).await;
    let engine = world.engine().await;
    assert_eq!(texts(&engine, ws.id, 1).await.len(), 2);
    let removed = world.compact(ws.id, ws.slot).await;
    world.files.remove(&removed).await.expect("removed");
    assert_eq!(texts(&engine, ws.id, 1).await.len(), 2);
    assert_eq!(all_events(&engine, ws.id, 10).await.len(), 2);
    // The same where nothing was loaded yet.
    let removed = world.compact(ws.id, ws.slot).await;
    let other = world.engine().await;
    world.files.remove(&removed).await.expect("removed");
    world.compact(ws.id, ws.slot).await;
    assert_eq!(all_events(&other, ws.id, 10).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_workspace_answers_no_more() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let other = world.workspace("b", None).await;
    let engine = world.engine().await;
    world.tell(&engine, &ws, &[customer(1, 1, NOON)]).await;
    world.keyring.destroy_workspace(ws.id).await.expect("destroyed");
    let counts = engine.counts(ws.id, &InboxFilter::default()).await;
    assert!(matches!(counts, Err(QueryError::KeyDestroyed)), "{counts:?}");
    world.tell(&engine, &other, &[customer(1, 1, NOON)]).await;
    assert_eq!(inbox(&engine, other.id).await.len(), 1);
}
