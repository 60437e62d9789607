//! Sequences of the data path that went wrong once.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
mod support;

use schemas::{
    conversation::lifecycle::Status,
    event::{Contact, Raw},
    ids::EventId,
    kind::{AuthorKind, DeadLetterReason, Kind, Platform, Source},
    partition::{DAY, PartitionDay, RetentionClass, Table},
    time::Millis,
    wire::Payload,
};
use std::time::Duration;
use support::{House, at, edit, event, message, unsend};
use warehouse::duplicates::Candidate;

const NOON: &str = "2026-03-02T12:00:00Z";

fn seconds(n: i64) -> Millis {
    Millis(at(NOON).0 + n * 1000)
}

/// 1. The worker's snapshot is as old as its last commit; files that were merged and purged since are not in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_dropped_after_its_day_was_merged_and_purged() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let jobs = transform.jobs();
    let first = message(1, 1, seconds(0));
    for e in [first.clone(), message(2, 1, seconds(10))] {
        house.append(&ann, &[e]).await;
        transform.flush().await.expect("landed");
    }
    jobs.compact(true).await.expect("compacted");
    house.clock.advance(Duration::from_secs(1200));
    assert!(jobs.purge().await.expect("purged") > 0);
    house.append(&ann, &[first]).await;
    transform.flush().await.expect("landed");
    assert_eq!(house.rows(ann.id).await.len(), 2);
    transform.shutdown().await.expect("stopped");
}

/// 2. An unsend that compact folds before derive has seen it never reaches the state.
#[tokio::test(flavor = "multi_thread")]
async fn an_unsend_that_was_folded_before_it_was_derived_reaches_the_state() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let jobs = transform.jobs();
    // An unsend of something never seen: from now on folding is always due.
    house.append(&ann, &[message(1, 1, seconds(0)), unsend(9, &message(8, 2, seconds(0)), seconds(1))]).await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    house.clock.advance(DAY + Duration::from_secs(60));
    house.append(&ann, &[unsend(10, &message(1, 1, seconds(0)), house.now())]).await;
    transform.flush().await.expect("landed");
    assert_eq!(jobs.compact(false).await.expect("compacted").folded, 1);
    jobs.derive().await.expect("derived");
    let states = house.states(ann.id).await;
    let one = states.values().find(|s| s.conversation.0[0] == 1).expect("a state");
    let text = one.last_message.as_ref().and_then(|m| m.message.text.clone());
    transform.shutdown().await.expect("stopped");
    assert_eq!(text, None);
}

/// 3. Killed between the key and the rows of an expired day: a dead letter asks the dark file, and land stands still.
#[tokio::test(flavor = "multi_thread")]
async fn land_goes_on_while_an_expired_day_has_rows_but_no_key() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let letter = |n: u8| {
        let raw = Raw {
            id: EventId([n; 16]),
            connection: None,
            platform: Platform::Line,
            received_at: house.now(),
            reason: DeadLetterReason::NotJson,
            bytes: vec![n],
        };
        (raw.id, Payload::Raw(raw))
    };
    house.appender.append(ann.id, ann.slot, &[letter(1)]).await.expect("appended");
    transform.flush().await.expect("landed");
    house.clock.advance(DAY * 32);
    let dark = (ann.id, PartitionDay::containing(at(NOON)), RetentionClass::DEAD_LETTERS);
    house.keyring.destroy_day_keys(&[dark]).await.expect("destroyed");
    // As after a restart: nothing is open in memory.
    house.files.forget(&house.live(ann.id).await.iter().map(|f| f.id).collect::<Vec<_>>()).await;
    house.appender.append(ann.id, ann.slot, &[letter(2)]).await.expect("appended");
    let landed = tokio::time::timeout(Duration::from_secs(10), transform.flush()).await.expect("in time");
    assert!(landed.is_ok(), "{landed:?}");
}

/// 4. A lifecycle is folded again from the mark of a day whose events are gone.
#[tokio::test(flavor = "multi_thread")]
async fn folding_again_starts_at_the_oldest_day_that_is_retained() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", Some(3)).await;
    let transform = house.start();
    let jobs = transform.jobs();
    let day = |n: i64| seconds(n * 86_400);
    house.append(&ann, &[message(1, 1, day(0))]).await;
    transform.flush().await.expect("landed");
    house.clock.set(day(2));
    house
        .append(
            &ann,
            &[
                event(2, 1, day(2), Kind::Snooze, AuthorKind::Agent),
                event(3, 1, day(2), Kind::Message, AuthorKind::Bot),
            ],
        )
        .await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    house.clock.set(Millis(day(4).0));
    // Late: before the snooze.
    let mut late = event(4, 1, Millis(day(2).0 - 1000), Kind::Unsnooze, AuthorKind::Agent);
    late.received_at = house.now();
    house.append(&ann, &[late]).await;
    transform.flush().await.expect("landed");
    jobs.expire().await.expect("expired");
    jobs.derive().await.expect("derived");
    let states = house.states(ann.id).await;
    let one = states.values().next().expect("a state");
    transform.shutdown().await.expect("stopped");
    assert_eq!(one.lifecycle.status, Status::Snoozed { until: None });
}

/// 5. A name that expired stays in the file: of two states of one version compact keeps the older file's.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_name_leaves_the_files() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", Some(3)).await;
    let transform = house.start();
    let jobs = transform.jobs();
    let day = |n: i64| seconds(n * 86_400);
    let mut named = message(1, 1, day(0));
    named.contact = named.contact.map(|c| Contact { name: Some("Old Name".into()), ..c });
    house.append(&ann, &[named]).await;
    transform.flush().await.expect("landed");
    house.clock.set(day(2));
    house.append(&ann, &[message(2, 1, day(2)), message(3, 2, day(2))]).await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    house.clock.set(day(4));
    assert_eq!(jobs.expire().await.expect("expired").moved, 1);
    jobs.compact(true).await.expect("compacted");
    let mut all = String::new();
    for file in house.live(ann.id).await.iter().filter(|f| f.table == Table::Conversations) {
        for batch in house.files.read(file, None).await.expect("reads") {
            all += &format!("{:?}", schemas::columns::read_conversations(&batch).expect("states"));
        }
    }
    transform.shutdown().await.expect("stopped");
    assert!(!all.contains("Old Name"));
}

/// 6. A reader on the snapshot before a claimed event landed takes the event for its own copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_event_is_no_copy_of_itself() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let pinned = house.catalog.snapshot(ann.slot).await.expect("a snapshot");
    let mut claim = message(9, 1, seconds(0));
    claim.set_claimed_time(at("2099-01-01T00:00:00Z"));
    house.append(&ann, std::slice::from_ref(&claim)).await;
    transform.flush().await.expect("landed");
    let files = house.catalog.files(ann.id, pinned).await.expect("files");
    let copies = house.duplicates.in_files(ann.id, &files, pinned.next, &[Candidate::of(&claim)]).await.expect("asked");
    transform.shutdown().await.expect("stopped");
    assert!(copies.is_empty());
}

/// Of most files only the fronts of ids are kept: one that begins like another is asked for whole.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_begins_like_another_is_no_copy() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let landed: Vec<_> = (1..40).map(|n| message(n, 1, seconds(0))).collect();
    house.append(&ann, &landed).await;
    transform.flush().await.expect("landed");
    let pinned = house.catalog.snapshot(ann.slot).await.expect("a snapshot");
    let files = house.catalog.files(ann.id, pinned).await.expect("files");
    let mut asked = Vec::new();
    for event in &landed {
        for (byte, bit) in [(0, 0), (0, 1), (3, 128), (4, 1), (15, 128)] {
            let mut other = event.clone();
            other.id.0[byte] ^= bit;
            asked.push(Candidate::of(&other));
        }
        // The same id at another time, as far as a copy of a customer's message cannot be.
        let mut later = event.clone();
        later.event_at = seconds(2);
        asked.push(Candidate::of(&later));
    }
    let copies = house.duplicates.copies(&files, &asked).await.expect("asked");
    transform.shutdown().await.expect("stopped");
    assert_eq!(copies, landed.iter().map(|event| Candidate::of(event).key()).collect());
}

/// 7. A superseded state with content that was taken back stays in its day's only file.
#[tokio::test(flavor = "multi_thread")]
async fn superseded_states_with_unsent_content_leave_the_files() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let jobs = transform.jobs();
    let secret = message(1, 1, seconds(0));
    house.append(&ann, std::slice::from_ref(&secret)).await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    house.clock.advance(DAY * 2);
    house.append(&ann, &[message(2, 1, house.now()), unsend(3, &secret, house.now())]).await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    for _ in 0..9 {
        house.clock.advance(DAY);
        jobs.compact(false).await.expect("compacted");
        jobs.purge().await.expect("purged");
    }
    let mut all = format!("{:?}", house.raw_rows(ann.id).await);
    for file in house.live(ann.id).await.iter().filter(|f| f.table == Table::Conversations) {
        for batch in house.files.read(file, None).await.expect("reads") {
            all += &format!("{:?}", schemas::columns::read_conversations(&batch).expect("states"));
        }
    }
    transform.shutdown().await.expect("stopped");
    assert!(!all.contains("text 1"));
}

/// 8. Two edits of one rank: folding forgets which of them held.
#[tokio::test(flavor = "multi_thread")]
async fn edits_of_one_order_give_the_same_text_however_often_is_folded() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let jobs = transform.jobs();
    let original = message(1, 1, seconds(0));
    house.append(&ann, &[original.clone(), edit(2, &original, seconds(5), "first", 7)]).await;
    transform.flush().await.expect("landed");
    jobs.compact(true).await.expect("compacted");
    house.append(&ann, &[edit(3, &original, seconds(5), "second", 7)]).await;
    transform.flush().await.expect("landed");
    jobs.compact(true).await.expect("compacted");
    let rows = house.raw_rows(ann.id).await;
    transform.shutdown().await.expect("stopped");
    assert_eq!(support::text_of(&rows[0]), Some("second"));
    assert!(!format!("{rows:?}").contains("first"));
}

/// 9. A state whose home day has expired, and an event that is derived before expire runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_outlives_its_home_day_also_when_derive_comes_before_expire() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", Some(3)).await;
    let transform = house.start();
    let jobs = transform.jobs();
    let day = |n: i64| seconds(n * 86_400);
    house.append(&ann, &[message(1, 1, day(0))]).await;
    transform.flush().await.expect("landed");
    house.clock.set(day(2));
    let mut assign = event(2, 1, day(2), Kind::Assign, AuthorKind::Agent);
    assign.details = r#"{"agent":"ann"}"#.into();
    house.append(&ann, &[assign]).await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    house.clock.set(day(4));
    house.append(&ann, &[message(3, 1, day(4))]).await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    jobs.expire().await.expect("expired");
    let states = house.states(ann.id).await;
    let one = states.values().next().expect("a state");
    transform.shutdown().await.expect("stopped");
    assert_eq!(one.assigned.as_ref().and_then(|a| a.agent.clone()), Some("ann".into()));
    assert_eq!(one.days.len(), 2);
}

/// 10. One workspace's lost object, and another workspace's expiry.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_object_does_not_hold_up_the_others() {
    let house = House::new(at(NOON)).await;
    let mut workspaces = Vec::new();
    for n in 0..6 {
        workspaces.push(house.workspace(&format!("w{n}"), Some(3)).await);
    }
    let transform = house.start();
    let jobs = transform.jobs();
    for w in &workspaces {
        house.append(w, &[message(1, 1, seconds(0))]).await;
    }
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    let hurt = &workspaces[0];
    house.clock.set(seconds(2 * 86_400));
    house.append(hurt, &[message(2, 2, house.now())]).await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    let day = PartitionDay::containing(house.now());
    for file in house.live(hurt.id).await.iter().filter(|f| f.table == Table::Conversations && f.day == day) {
        house.lose_object(file).await;
    }
    house.clock.set(seconds(4 * 86_400));
    for _ in 0..3 {
        // Says what is wrong, and goes on with the others.
        let _ = jobs.expire().await;
    }
    let mut left = 0;
    for w in &workspaces {
        left += house.live(w.id).await.iter().filter(|f| f.day < day).count();
    }
    assert_eq!(left, 0, "live files of an expired day");
}

/// 11. A late copy of the same id at another time takes a record with it that is no copy.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_copy_is_dropped_not_all_of_its_id() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let first = message(1, 1, seconds(-100));
    house.append(&ann, std::slice::from_ref(&first)).await;
    transform.flush().await.expect("landed");
    let other = message(1, 1, seconds(-50));
    assert_eq!(other.source, Source::Webhooks);
    house.append(&ann, &[other, first]).await;
    transform.flush().await.expect("landed");
    let rows = house.rows(ann.id).await.len();
    transform.shutdown().await.expect("stopped");
    assert_eq!(rows, 2);
}
