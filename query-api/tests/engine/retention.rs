//! Rows leave every answer at event time + retention, to the instant, whether they lie in files or in the tail.
use crate::{
    build::{after, conversation, customer, event},
    world::{NOON, World},
};
use query_api::engine::{
    Engine, Live,
    types::{Change, InboxFilter, Order, QueryError, Walk},
};
use schemas::{ids::WorkspaceId, kind::Kind, partition::DAY, time::Millis};

/// What the lists say of conversation 1: messages, count, events, unread, whether a newest message is shown.
async fn seen(engine: &Engine, ws: WorkspaceId) -> Option<(usize, u64, usize, usize, bool)> {
    let (events, _) = engine.events(ws, None, 100).await.expect("events");
    let counts = engine.counts(ws, &InboxFilter::default()).await.expect("counts");
    let page = engine.conversations(ws, &InboxFilter::default(), Walk::Start, 10).await.expect("a page");
    assert_eq!(counts.total, page.items.len() as u64);
    let messages = engine.messages(ws, conversation(1), Order::Newest, Walk::Start, 100).await;
    match engine.conversation(ws, conversation(1)).await {
        Ok(row) => {
            assert_eq!(page.items, std::slice::from_ref(&row));
            let messages = messages.expect("messages").items.len();
            Some((messages, row.message_count, events.len(), row.unread, row.last_message.is_some()))
        }
        Err(QueryError::NotFound) => {
            assert!(messages.is_err() && events.is_empty());
            None
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cut_is_exact_to_the_instant() {
    let world = World::new().await;
    let ws = world.workspace("a", Some(30)).await;
    let at = |seconds: i64| after(NOON, seconds);
    let events = [
        customer(1, 1, at(0)),
        customer(2, 1, at(10)),
        customer(3, 1, at(10)),
        customer(4, 1, at(20)),
        event(5, 1, at(30), Kind::Follow, "{}"),
    ];
    let position = world.append(&ws, &events).await;
    world.land(ws.slot, schemas::log::Offset(3)).await;
    let engine = world.engine().await;
    engine.reach(ws.id, position, crate::world::LONG).await.expect("reached");
    assert_eq!(seen(&engine, ws.id).await, Some((4, 4, 5, 4, true)));
    for (second, expected) in [
        (0, Some((4, 4, 5, 4, true))),
        (1, Some((3, 3, 4, 3, true))),
        (10, Some((3, 3, 4, 3, true))),
        (11, Some((1, 1, 2, 1, true))),
        (21, Some((0, 0, 1, 0, false))),
        (30, Some((0, 0, 1, 0, false))),
        (31, None),
    ] {
        world.clock.set(Millis((at(second) + DAY * 30).0));
        assert_eq!(seen(&engine, ws.id).await, expected, "second {second}");
        assert_eq!(seen(&world.engine().await.engine, ws.id).await, expected, "second {second}, loaded now");
    }
    // An import of the day that the cut goes through counts too.
    world.clock.set(Millis((at(5) + DAY * 30).0));
    let mut late = customer(6, 1, at(40));
    late.received_at = world.now();
    world.tell(&engine, &ws, &[late]).await;
    assert_eq!(seen(&engine, ws.id).await, Some((4, 4, 5, 4, true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_midnight_the_day_before_is_still_counted() {
    let world = World::new().await;
    let ws = world.workspace("a", Some(30)).await;
    let midnight = Millis(NOON.0 + 43_200_000);
    // Received before midnight, dated after it: of the day before.
    let mut ahead = customer(1, 1, after(midnight, 120));
    ahead.received_at = after(midnight, -60);
    world.append(&ws, &[ahead, customer(2, 1, after(midnight, -30))]).await;
    world.land(ws.slot, world.end(&ws).await).await;
    world.derive(ws.id, ws.slot).await;
    let engine = world.engine().await;
    for (second, expected) in
        [(-31, Some((2, 2, 2, 2, true))), (0, Some((1, 1, 1, 1, true))), (120, Some((1, 1, 1, 1, true))), (121, None)]
    {
        world.clock.set(Millis((after(midnight, second) + DAY * 30).0));
        assert_eq!(seen(&engine, ws.id).await, expected, "second {second}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_change_counts_the_day_of_the_cut() {
    let world = World::new().await;
    let ws = world.workspace("a", Some(30)).await;
    let events: Vec<_> = (0..3).map(|n| customer(n, 1, after(NOON, i64::from(n) * 10))).collect();
    world.append(&ws, &events).await;
    world.land(ws.slot, world.end(&ws).await).await;
    world.clock.set(Millis((after(NOON, 5) + DAY * 30).0));
    let engine = world.engine().await;
    let mut subscription = engine.subscribe(ws.id).await.expect("subscribed");
    world.append(&ws, &[customer(4, 1, world.now())]).await;
    loop {
        match subscription.next().await {
            Some(Live::Change(_, change)) => {
                if let Change::ConversationChanged(row) = *change {
                    assert_eq!(row.message_count, 3);
                    return;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}
