//! Live changes, and those that a subscriber missed.
use crate::{
    build::{after, amend, conversation, customer, edit, id},
    world::{NOON, World},
};
use query_api::engine::{Live, Subscription, types::Change};
use records::Position;
use schemas::log::Offset;

async fn next(subscription: &mut Subscription, n: usize) -> Vec<(Position, Change)> {
    let mut changes = Vec::new();
    for _ in 0..n {
        match subscription.next().await {
            Some(Live::Change(position, change)) => changes.push((position, *change)),
            other => panic!("{other:?}"),
        }
    }
    changes
}

fn short(changes: &[(Position, Change)]) -> Vec<(u64, &'static str, [u8; 16], Option<String>)> {
    let short = |(position, change): &(Position, Change)| match change {
        Change::MessageCreated(m) => (position.next.0, "created", m.id.0, m.text.clone()),
        Change::MessageAmended(m) => (position.next.0, "amended", m.id.0, m.text.clone()),
        Change::ConversationChanged(c) => {
            (position.next.0, "conversation", c.id.0, c.last_message.clone().and_then(|m| m.text))
        }
    };
    changes.iter().map(short).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_told_in_order_and_told_again_from_a_position() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let engine = world.engine().await;
    world.tell(&engine, &ws, &[customer(1, 1, NOON), customer(2, 2, NOON)]).await;
    world.land(ws.slot, world.end(&ws).await).await;
    engine.refresh().await.expect("refreshed");
    let mut subscription = engine.subscribe(ws.id).await.expect("subscribed");
    assert_eq!(subscription.start().next, Offset(2));
    let events = [
        customer(3, 1, after(NOON, 3)),
        amend(4, 1, after(NOON, 4), 1, edit("new", 1)),
        amend(5, 2, after(NOON, 5), 99, edit("of nothing known", 1)),
    ];
    world.append(&ws, &events).await;
    // One batch or several: the follower decides. The messages are the same, the last word on a conversation too.
    let mut told = Vec::new();
    while !told.iter().any(|(position, _): &(Position, Change)| position.next == Offset(5)) {
        told.extend(next(&mut subscription, 1).await);
    }
    let told: Vec<_> = short(&told);
    let messages: Vec<_> = told.iter().filter(|c| c.1 != "conversation").cloned().collect();
    assert_eq!(messages, [(3, "created", id(3).0, Some("text 3".into())), (4, "amended", id(1).0, Some("new".into()))]);
    assert!(told.contains(&(4, "conversation", conversation(1).0, Some("text 3".into()))));
    assert!(told.contains(&(5, "conversation", conversation(2).0, Some("text 2".into()))));

    let from = subscription.start();
    let replayed = engine.replay(ws.id, from, 10).await.expect("replayed").expect("known");
    assert_eq!(short(&replayed).last().map(|c| (c.0, c.1)), Some((5, "conversation")));
    assert_eq!(short(&replayed).into_iter().filter(|c| c.1 != "conversation").collect::<Vec<_>>(), messages);
    // Also once it has landed, and never more than was asked for.
    world.land(ws.slot, world.end(&ws).await).await;
    engine.refresh().await.expect("refreshed");
    assert_eq!(short(&engine.replay(ws.id, from, 3).await.expect("replayed").expect("known")), short(&replayed));
    assert!(engine.replay(ws.id, from, 2).await.expect("replayed").is_none());
    assert!(engine.replay(ws.id, Position { epoch: Default::default(), ..from }, 9).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_too_slow_is_told_to_begin_again() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let engine = world.engine().await;
    let mut subscription = engine.subscribe(ws.id).await.expect("subscribed");
    let many: Vec<_> = (0..1200).map(|n| customer(n, n, NOON)).collect();
    world.tell(&engine, &ws, &many).await;
    assert!(matches!(subscription.next().await, Some(Live::Reset)));
    assert!(matches!(subscription.next().await, Some(Live::Change(..))));
    world.keyring.destroy_workspace(ws.id).await.expect("destroyed");
    assert!(engine.conversation(ws.id, conversation(1)).await.is_err());
    while let Some(live) = subscription.next().await {
        drop(live);
    }
}
