//! Pages in both directions give what sorting the whole gives.
use crate::{
    build::{after, agent, conversation, customer},
    world::{NOON, World, all_events, settings},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use query_api::engine::{
    Engine, EngineSettings,
    types::{InboxFilter, MessagePlace, Order, Walk},
};
use records::Position;
use schemas::{event::Event, ids::WorkspaceId, log::Offset, time::Millis};

const DAY: i64 = 86_400_000;

/// Times around midnights, some of them ahead of the receive time by up to ten minutes, which moves them to the day before.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = (0i64..4, -900i64..900, prop::bool::weighted(0.4), 0i64..600, 1u32..3);
    prop::collection::vec(one, 1..60).prop_map(|list| {
        let midnight = Millis((NOON.0 / DAY - 5) * DAY);
        let event = |(n, (day, second, ahead, by, of)): (usize, (i64, i64, bool, i64, u32))| {
            let at = Millis(midnight.0 + day * DAY + second * 1000);
            let n = u32::try_from(n).expect("small");
            let mut event = if n % 3 == 0 { agent(n, of, at) } else { customer(n, of, at) };
            if ahead {
                event.received_at = after(at, -by);
            }
            event
        };
        list.into_iter().enumerate().map(event).collect()
    })
}

async fn walk(engine: &Engine, ws: WorkspaceId, of: u32, order: Order, limit: usize) -> Vec<MessagePlace> {
    let place = |m: &query_api::engine::types::MessageItem| MessagePlace { at: m.event_at, seq: 0, id: m.id };
    let (mut places, mut at) = (Vec::new(), Walk::Start);
    let mut pages = Vec::new();
    loop {
        let page = engine.messages(ws, conversation(of), order, at, limit).await.expect("a page");
        assert_eq!(page.prev.is_some(), !places.is_empty() && !page.items.is_empty());
        let items: Vec<_> = page.items.iter().map(place).collect();
        places.extend(items.iter().copied());
        pages.push(items);
        match page.next {
            Some(next) => at = Walk::After(next),
            None => break,
        }
    }
    // And back again: each page's predecessor is the page before.
    for pair in pages.windows(2) {
        let page = engine.messages(ws, conversation(of), order, Walk::Before(pair[1][0]), limit).await.expect("a page");
        assert_eq!(page.items.iter().map(place).collect::<Vec<_>>(), pair[0]);
        assert_eq!(page.next, pair[0].last().copied());
    }
    places
}

async fn check(events: Vec<Event>, landed: usize, limit: usize) {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let position = world.append(&ws, &events).await;
    world.land(ws.slot, Offset((landed as u64).min(position.next.0))).await;
    let engine = world.engine_with(EngineSettings { window_bytes: 8192, ..settings() }).await;
    engine.reach(ws.id, position, crate::world::LONG).await.expect("reached");
    for of in 1..3 {
        let mut expected: Vec<_> =
            events.iter().filter(|e| e.conversation == Some(conversation(of))).map(Event::order_key).collect();
        if expected.is_empty() {
            continue;
        }
        expected.sort();
        assert_eq!(walk(&engine, ws.id, of, Order::Oldest, limit).await, expected);
        expected.reverse();
        assert_eq!(walk(&engine, ws.id, of, Order::Newest, limit).await, expected);
    }
    let expected: Vec<_> = events.iter().enumerate().map(|(n, e)| (Offset(n as u64), e.id.0)).collect();
    assert_eq!(all_events(&engine, ws.id, limit).await, expected);
    let mut inbox = engine.conversations(ws.id, &InboxFilter::default(), Walk::Start, 1).await.expect("a page");
    let mut seen = inbox.items.len();
    while let Some(next) = inbox.next {
        inbox = engine.conversations(ws.id, &InboxFilter::default(), Walk::After(next), 1).await.expect("a page");
        seen += inbox.items.len();
    }
    let counts = engine.counts(ws.id, &InboxFilter::default()).await.expect("counts");
    assert_eq!(seen as u64, counts.total);
}

#[test]
fn pages_in_both_directions_are_the_sorted_whole() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut runner =
        TestRunner::new(Config { cases: 16, failure_persistence: None, max_shrink_iters: 40, ..Config::default() });
    let outcome = runner.run(&(events(), 0usize..60, 1usize..9), |(events, landed, limit)| {
        runtime.block_on(check(events, landed, limit));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_large_messages_are_short_and_nothing_is_missing() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let large = |n| {
        let mut event = customer(n, 1, after(NOON, i64::from(n)));
        event.message.as_mut().expect("a message").text = Some("x".repeat(900_000));
        event
    };
    let events: Vec<_> = (0..12).map(large).collect();
    let mut position = None;
    for some in events.chunks(4) {
        position = Some(world.append(&ws, some).await);
    }
    let position = position.expect("a position");
    // Some in files, some in the tail.
    world.land(ws.slot, Offset(3)).await;
    let engine = world.engine().await;
    engine.reach(ws.id, position, crate::world::LONG).await.expect("reached");
    let mut sorted: Vec<_> = events.iter().map(Event::order_key).collect();
    assert_eq!(walk(&engine, ws.id, 1, Order::Oldest, 200).await, sorted);
    let page = engine.messages(ws.id, conversation(1), Order::Newest, Walk::Start, 200).await.expect("a page");
    assert_eq!((page.items.len(), page.next.is_some()), (9, true));
    sorted.reverse();
    let newest: Vec<_> = page.items.iter().map(|m| m.id).collect();
    assert_eq!(newest, sorted[..9].iter().map(|key| key.id).collect::<Vec<_>>());
    assert_eq!(all_events(&engine, ws.id, 1000).await.len(), 12);
    let first = Position { next: Offset(0), ..position };
    assert!(engine.replay(ws.id, first, 1000).await.expect("an answer").is_none());
}
