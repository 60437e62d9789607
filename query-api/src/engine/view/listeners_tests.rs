//! Queues begin, end, and stay small.
use super::*;
use crate::engine::types::MessageItem;
use futures::FutureExt;
use schemas::{
    ids::{ConversationId, EventId, LogEpoch},
    kind::MessageType,
    log::{Offset, Slot},
    time::Millis,
};
use std::sync::Weak;

fn change(n: u64, text: usize) -> (Position, Change) {
    let item = MessageItem {
        id: EventId([0; 16]),
        conversation: ConversationId([0; 16]),
        platform_message_id: String::new(),
        direction: "in",
        author: None,
        kind: MessageType::Text,
        text: Some("x".repeat(text)),
        attachments: Vec::new(),
        event_at: Millis(0),
        received_at: Millis(0),
        edited_at: None,
        unsent_at: None,
        reply_to: None,
    };
    (Position { epoch: LogEpoch([0; 16]), slot: Slot(0), next: Offset(n) }, Change::MessageCreated(item))
}

fn heard(listener: &mut Listener) -> Option<Heard> {
    listener.next().now_or_never()
}

#[track_caller]
fn is(heard: Option<Heard>, n: u64) {
    assert!(matches!(&heard, Some(Heard::Told(told)) if told.0.next == Offset(n)), "{heard:?}");
}

#[test]
fn a_queue_lives_as_long_as_its_listener() {
    let mut listeners = Listeners::default();
    assert!(!listeners.any());
    let first = listeners.subscribe();
    assert!(first.is_some() && listeners.any());
    drop(first);
    assert!(!listeners.any() && listeners.ears.is_empty());
}

#[test]
fn renewing_ends_the_old_queues_and_closing_all() {
    let mut listeners = Listeners::default();
    let mut old = listeners.subscribe().expect("open");
    listeners.publish(change(1, 1));
    listeners.renew();
    is(heard(&mut old), 1);
    assert!(matches!(heard(&mut old), Some(Heard::Ended)), "what was told before is heard first");
    let mut new = listeners.subscribe().expect("open");
    assert!(heard(&mut new).is_none());
    listeners.close();
    assert!(matches!(heard(&mut new), Some(Heard::Ended)));
    assert!(listeners.subscribe().is_none());
}

#[test]
fn who_reads_slowly_holds_a_bounded_number_of_bytes_and_the_others_hear_all() {
    let mut listeners = Listeners::default();
    let (mut slow, mut fast) = (listeners.subscribe().expect("open"), listeners.subscribe().expect("open"));
    let mut held: Vec<Weak<(Position, Change)>> = Vec::new();
    for n in 0..100 {
        listeners.publish(change(n, 1 << 20));
        let Some(Heard::Told(told)) = heard(&mut fast) else { panic!("change {n} was not heard") };
        assert_eq!(told.0.next, Offset(n));
        held.push(Arc::downgrade(&told));
        drop(told);
        let bytes = held.iter().filter(|told| told.strong_count() > 0).count() << 20;
        assert!(bytes <= BYTES, "{bytes} bytes are held for one that does not read");
    }
    assert!(matches!(heard(&mut slow), Some(Heard::Missed)));
    // It goes on after the gap, and keeps up from there.
    let Some(Heard::Told(next)) = heard(&mut slow) else { panic!("nothing after the gap") };
    let rest = std::iter::from_fn(|| heard(&mut slow)).count() as u64;
    assert_eq!(next.0.next.0 + rest, 99);
    listeners.publish(change(100, 1));
    is(heard(&mut slow), 100);
}

#[test]
fn small_changes_are_bounded_by_their_number_and_one_large_always_fits() {
    let mut listeners = Listeners::default();
    let mut listener = listeners.subscribe().expect("open");
    (0..=CHANGES as u64).for_each(|n| listeners.publish(change(n, 1)));
    assert!(matches!(heard(&mut listener), Some(Heard::Missed)));
    is(heard(&mut listener), CHANGES as u64);
    listeners.publish(change(7, 2 * BYTES));
    is(heard(&mut listener), 7);
    assert!(heard(&mut listener).is_none());
}

#[tokio::test]
async fn a_change_wakes_who_waits() {
    let mut listeners = Listeners::default();
    let mut listener = listeners.subscribe().expect("open");
    let waiting = tokio::spawn(async move { listener.next().await });
    tokio::task::yield_now().await;
    listeners.publish(change(1, 1));
    is(waiting.await.ok(), 1);
}
