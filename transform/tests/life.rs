//! The life of events from the log to their expiry, step by step.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
mod support;

use futures::TryStreamExt;
use schemas::{
    columns::{EventColumns, EventRow, read_events},
    conversation::lifecycle::Status,
    ids::{ConversationId, DataFileId},
    kind::{AuthorKind, IgnoredReason, Kind},
    log::{Offset, Slot},
    partition::{DAY, RetentionClass, Table},
    time::Millis,
};
use std::time::Duration;
use support::{House, at, day_of, edit, event, message, text_of, unsend};
use warehouse::{
    catalog::{CatalogError, LandCommit, Outcome},
    file::{DataFilePath, FileError, NewFile},
};

const NOON: &str = "2026-03-02T12:00:00Z";

fn seconds(n: i64) -> Millis {
    Millis(at(NOON).0 + n * 1000)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_land_once_and_the_totals_add_up() {
    let house = House::new(at(NOON)).await;
    let (ann, ben) = (house.workspace("ann", None).await, house.workspace("ben", None).await);
    let transform = house.start();
    let first = message(1, 1, seconds(-100));
    house.append(&ann, &[first.clone(), message(2, 2, seconds(-90)), first.clone()]).await;
    house.append(&ben, std::slice::from_ref(&first)).await;
    transform.flush().await.expect("landed");
    // A redelivery after the commit, one within a second of it, and another event of the same second.
    let mut close = first.clone();
    close.event_at = Millis(first.event_at.0 + 900);
    house.append(&ann, &[close, message(3, 1, seconds(-100))]).await;
    transform.flush().await.expect("landed");
    transform.shutdown().await.expect("stopped");

    let ids = |rows: Vec<schemas::columns::EventRow>| rows.iter().map(|r| r.event.id.0[3]).collect::<Vec<_>>();
    assert_eq!(ids(house.rows(ann.id).await), [1, 2, 3]);
    assert_eq!(ids(house.rows(ben.id).await), [1]);
    let mut totals = house.catalog.totals().await.expect("totals");
    totals.sort();
    let of = |w, o| totals.iter().filter(|(tw, to, _)| *tw == w && *to == o).map(|(_, _, n)| n).sum::<u64>();
    assert_eq!((of(ann.id, Outcome::Committed), of(ann.id, Outcome::Duplicate)), (3, 2));
    assert_eq!((of(ben.id, Outcome::Committed), of(ben.id, Outcome::Duplicate)), (1, 0));
    let accepted: u64 = totals.iter().map(|(_, _, n)| n).sum();
    let mut appended = 0;
    for slot in 0..house.log.slots() {
        appended += house.log.end(Slot(slot)).await.expect("end").0;
    }
    assert_eq!(accepted, appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_from_the_future_is_deduplicated_whenever_it_comes_again() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let claim = |received: Millis| {
        let mut event = message(9, 1, seconds(0));
        event.received_at = received;
        event.set_claimed_time(at("2099-01-01T00:00:00Z"));
        event
    };
    house.append(&ann, &[claim(seconds(0))]).await;
    transform.flush().await.expect("landed");
    house.append(&ann, &[claim(seconds(3600)), claim(seconds(90_000))]).await;
    transform.flush().await.expect("landed");
    let rows = house.rows(ann.id).await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].event.event_at, rows[0].event.claimed_at), (seconds(0), Some(at("2099-01-01T00:00:00Z"))));
    transform.shutdown().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_landed_file_closely_does_not_have_it_read() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    house.append(&ann, &[message(1, 1, seconds(0)), message(2, 1, seconds(-90_000))]).await;
    transform.flush().await.expect("landed");
    let files = house.live(ann.id).await;
    assert_eq!(files.len(), 2);
    let mut objects = Vec::new();
    for file in &files {
        objects.push((DataFilePath::of(file).object(), house.object(file).await));
        house.lose_object(file).await;
    }
    // Another event of the same second. Whether a copy is one only the file knows for sure.
    house.append(&ann, &[message(3, 1, seconds(0))]).await;
    transform.flush().await.expect("landed");
    assert_eq!(house.live(ann.id).await.len(), 3);
    house.append(&ann, &[message(1, 1, seconds(0))]).await;
    assert!(transform.flush().await.is_err());
    for (path, object) in objects {
        house.put_object(&path, object).await;
    }
    transform.shutdown().await.expect("landed what was left");
    assert_eq!(house.rows(ann.id).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_generation_commits_nothing() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    house.append(&ann, &[message(1, 1, seconds(0))]).await;
    let old = house.catalog.take_slot(ann.slot, "old").await.expect("taken");
    let _new = house.catalog.take_slot(ann.slot, "new").await.expect("taken");
    let commit = LandCommit {
        generation: old,
        from: Offset(0),
        to: Offset(1),
        add: Vec::new(),
        claimed: Vec::new(),
        totals: Vec::new(),
        at: seconds(0),
    };
    assert!(matches!(house.catalog.commit_land(commit).await, Err(CatalogError::Fenced(_))));
    assert_eq!(house.catalog.snapshot(ann.slot).await.expect("snapshot").next, Offset(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn derive_brings_states_up_and_late_closes_are_folded_again() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let jobs = transform.jobs();
    house.append(&ann, &[message(1, 1, seconds(0)), message(2, 1, seconds(60)), message(3, 2, seconds(5))]).await;
    transform.flush().await.expect("landed");
    assert_eq!(jobs.derive().await.expect("derived"), 2);
    assert_eq!(jobs.derive().await.expect("derived"), 0, "nothing new");
    house.append(&ann, &[event(4, 1, seconds(120), Kind::Close, AuthorKind::Agent)]).await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    let states = house.states(ann.id).await;
    let one = states.values().find(|s| s.conversation.0[0] == 1).expect("a state");
    assert_eq!((one.lifecycle.status, one.message_count()), (Status::Closed { at: seconds(120) }, 2));
    // A customer message that comes late, from before the close, does not reopen; one from after it does.
    house.append(&ann, &[message(5, 1, seconds(90))]).await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    let states = house.states(ann.id).await;
    let one = states.values().find(|s| s.conversation.0[0] == 1).expect("a state");
    assert_eq!((one.lifecycle.status, one.message_count()), (Status::Closed { at: seconds(120) }, 3));
    house
        .append(&ann, &[message(6, 1, seconds(130)), event(7, 1, seconds(125), Kind::Snooze, AuthorKind::Agent)])
        .await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    let states = house.states(ann.id).await;
    let one = states.values().find(|s| s.conversation.0[0] == 1).expect("a state");
    assert_eq!(one.lifecycle.status, Status::Open);
    transform.shutdown().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_settles_to_one_file_and_old_content_is_gone_from_the_files() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let jobs = transform.jobs();
    let (kept, edited, gone) = (message(1, 1, seconds(0)), message(2, 1, seconds(1)), message(3, 2, seconds(2)));
    house.append(&ann, &[kept.clone(), unsend(10, &gone, seconds(50)), edited.clone()]).await;
    transform.flush().await.expect("landed");
    house
        .append(&ann, &[edit(11, &edited, seconds(60), "second", 2), edit(12, &edited, seconds(61), "first", 1)])
        .await;
    house.append(&ann, std::slice::from_ref(&gone)).await;
    transform.flush().await.expect("landed");
    jobs.derive().await.expect("derived");
    let before = house.rows(ann.id).await;
    assert_eq!(jobs.compact(false).await.expect("compacted").removed, 0, "the day is not settled");

    house.clock.advance(DAY * 2);
    let done = jobs.compact(false).await.expect("compacted");
    assert_eq!(done.folded, 3);
    let live = house.live(ann.id).await;
    assert_eq!(live.iter().filter(|f| f.table == Table::Events).count(), 1);
    assert_eq!(live.iter().map(|f| f.amendments).sum::<u64>(), 0);
    let raw = house.raw_rows(ann.id).await;
    assert_eq!(raw.len(), 6);
    let texts: Vec<_> = raw.iter().filter_map(text_of).collect();
    assert_eq!(texts, ["text 1", "second"]);
    let all = format!("{raw:?}");
    assert!(!all.contains("text 3") && !all.contains("text 2") && !all.contains("\"first\""));
    // An answer is the same before and after.
    let shown = |rows: &[schemas::columns::EventRow]| {
        rows.iter().map(|r| (r.event.id, text_of(r).map(str::to_owned), r.unsent_at, r.edited_at)).collect::<Vec<_>>()
    };
    assert_eq!(shown(&before), shown(&house.rows(ann.id).await));
    // A later unsend takes the text of the edit that was folded before.
    house.append(&ann, &[unsend(13, &edited, seconds(90))]).await;
    transform.flush().await.expect("landed");
    jobs.compact(true).await.expect("compacted");
    assert!(!format!("{:?}", house.raw_rows(ann.id).await).contains("second"));
    // The objects of replaced files go after the reader grace.
    assert_eq!(jobs.purge().await.expect("purged"), 0);
    house.clock.advance(Duration::from_secs(16 * 60));
    assert!(jobs.purge().await.expect("purged") > 0);
    let scrubbed = jobs.scrub().await.expect("scrubbed");
    assert_eq!((scrubbed.orphans, scrubbed.missing.len()), (0, 0));
    assert_eq!(scrubbed.objects, house.live(ann.id).await.len());
    transform.shutdown().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn superseded_states_leave_the_files() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let jobs = transform.jobs();
    for n in 0..5 {
        house
            .append(
                &ann,
                &[
                    message(n, 1, seconds(i64::from(n))),
                    message(100 + n, u8::try_from(n).expect("small") + 2, seconds(0)),
                ],
            )
            .await;
        transform.flush().await.expect("landed");
        jobs.derive().await.expect("derived");
    }
    let before = house.states(ann.id).await;
    jobs.compact(true).await.expect("compacted");
    let files: Vec<_> = house.live(ann.id).await.into_iter().filter(|f| f.table == Table::Conversations).collect();
    assert_eq!((files.len(), files[0].rows), (1, 6));
    assert_eq!(house.states(ann.id).await, before);
    transform.shutdown().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn thirteen_months_pass_and_expired_days_are_dark_even_in_copies() {
    let house = House::new(at(NOON)).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    let jobs = transform.jobs();
    let mut copies = Vec::new();
    let mut id = 0;
    for _day in 0..(13 * 30) {
        id += 1;
        // Conversation 1 writes every day, conversation 2 only on the first, conversation 3 on the first and later
        // only with something that is no message.
        let mut events = vec![message(id, 1, house.now())];
        if id == 1 {
            events.push(message(90_001, 2, house.now()));
            let mut named = message(90_002, 3, house.now());
            named.contact = named.contact.map(|c| schemas::event::Contact { name: Some("Old Name".into()), ..c });
            events.push(named);
        }
        if id == 30 {
            events.push(event(90_003, 3, house.now(), Kind::Follow, AuthorKind::Customer));
        }
        house.append(&ann, &events).await;
        if id % 10 == 0 {
            transform.flush().await.expect("landed");
            jobs.derive().await.expect("derived");
        }
        if id == 30 {
            copies = house.live(ann.id).await;
            for file in &copies {
                house.files.read(file, None).await.expect("its footer is held open from here on");
            }
        }
        if id == 40 {
            // Some of them are replaced long before their day ends; `expire` does not know those any more.
            jobs.compact(true).await.expect("compacted");
        }
        house.clock.advance(DAY);
    }
    let now = house.now();
    let done = jobs.expire().await.expect("expired");
    assert!(done.keys >= 30 && done.files >= 30, "{done:?}");
    let cut = Millis(now.0 - 356 * 86_400_000);
    let rows = house.rows(ann.id).await;
    assert!(rows.iter().all(|r| r.event.partition_day().end() > cut));
    assert_eq!(rows.len(), house.rows(ann.id).await.len());
    for file in copies.iter().filter(|f| f.day.end() + Duration::from_secs(900) <= cut) {
        // The row and the object are gone; a copy of the object put back does not open either, as the key is gone.
        assert!(matches!(house.files.read(file, None).await, Err(FileError::KeyDestroyed(_))), "{:?}", file.day);
    }
    let states = house.states(ann.id).await;
    assert!(!states.values().any(|s| s.conversation.0[0] == 2), "nothing of it is retained");
    // A day later nothing old is left of conversation 3 either, and its name left with the event that brought it.
    for state in states.values() {
        assert!(state.name.as_ref().is_none_or(|(key, _)| key.at >= cut));
        assert!(state.last_message.as_ref().is_none_or(|m| m.day.end() > cut));
    }
    // Doing it again changes nothing.
    assert_eq!(jobs.expire().await.expect("expired"), transform::expire::Expired::default());
    // What comes for an expired day is counted, not stored, and the day's key is not made again.
    house.append(&ann, &[message(99_999, 1, at(NOON))]).await;
    transform.flush().await.expect("landed");
    let totals = house.catalog.totals().await.expect("totals");
    assert!(totals.contains(&(ann.id, Outcome::Ignored(IgnoredReason::TooOld), 1)), "{totals:?}");
    transform.shutdown().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn scrub_removes_old_orphans_and_finds_missing_files() {
    let house = House::new(machine_now()).await;
    let ann = house.workspace("ann", None).await;
    let transform = house.start();
    house.append(&ann, &[message(1, 1, house.now())]).await;
    transform.flush().await.expect("landed");
    let file = house.live(ann.id).await.remove(0);
    let path = DataFilePath::of(&file);
    let mut orphan = path;
    orphan.file = DataFileId([1; 16]);
    house.put_object(&orphan.object(), house.object(&file).await).await;
    // What a cut-off put leaves on a local disk; a bucket does not show it.
    let staged = house.directory.path().join("store").join(format!("{path}#1"));
    if !house.place.is_bucket() {
        std::fs::write(&staged, "half").expect("written");
    }
    let strays = if house.place.is_bucket() { 1 } else { 2 };
    let jobs = transform.jobs();
    assert_eq!(jobs.scrub().await.expect("scrubbed").young, strays);
    house.clock.advance(DAY * 2);
    let mut bytes = house.object(&file).await;
    bytes[100] ^= 1;
    house.put_object(&path.object(), bytes).await;
    let scrubbed = jobs.scrub().await.expect("scrubbed");
    assert_eq!((scrubbed.orphans, scrubbed.damaged), (strays, vec![file.id]));
    house.lose_object(&file).await;
    let scrubbed = jobs.scrub().await.expect("scrubbed");
    assert_eq!((scrubbed.orphans, scrubbed.missing), (0, vec![file.id]));
    assert!(!staged.exists());
    transform.shutdown().await.expect("stopped");
}

/// The store's own clock is the machine's: this one test begins at its time.
fn machine_now() -> Millis {
    schemas::clock::Clock::now(&schemas::clock::SystemClock)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slice_of_a_file_is_what_a_filter_leaves_of_it() {
    let house = House::new(at(NOON)).await;
    let (ann, ben) = (house.workspace("ann", None).await, house.workspace("ben", None).await);
    // Pages end within conversations, several conversations lie in one page, and some rows have none.
    let sizes = [(0, 700u32), (1, 1), (2, 1500), (5, 2048), (6, 3), (7, 1), (9, 900)];
    let mut rows: Vec<EventRow> = Vec::new();
    for (conversation, size) in sizes {
        for _ in 0..size {
            let n = u32::try_from(rows.len()).expect("small");
            let mut event = message(n, conversation, seconds(i64::from(n)));
            event.conversation = event.conversation.filter(|_| conversation > 0);
            rows.push(EventRow::new(Offset(u64::from(n)), event));
        }
    }
    let mut columns = EventColumns::with_capacity(rows.len());
    rows.iter().for_each(|row| columns.push(row).expect("pushed"));
    let (day, class) = (day_of(seconds(0)), RetentionClass::STANDARD);
    let target = NewFile { workspace: ann.id, slot: ann.slot, table: Table::Events, day, class };
    let file = house.files.write(target, vec![columns.finish().expect("a batch")]).await.expect("written");
    let id = |n: u8| ConversationId([n; 16]);
    for from in 0..=10 {
        for to in from..=10 {
            let slice = house.files.slice(ann.id, &file, id(from)..=id(to)).await.expect("opens");
            let batches: Vec<_> = slice.try_collect().await.expect("reads");
            let read: Vec<EventRow> = batches.iter().flat_map(|b| read_events(b).expect("rows")).collect();
            let wanted = |row: &&EventRow| row.event.conversation.is_some_and(|c| id(from) <= c && c <= id(to));
            let expected: Vec<EventRow> = rows.iter().filter(wanted).cloned().collect();
            assert!(read == expected, "{from}..={to}: {} rows, not {}", read.len(), expected.len());
        }
    }
    let foreign = house.files.slice(ben.id, &file, id(1)..=id(1)).await.err();
    assert!(matches!(foreign, Some(FileError::ForeignFile(_))));
}
