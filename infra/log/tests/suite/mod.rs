//! What every event log must do. An implementation gives a [`Fixture`] and calls [`event_log_suite!`].
use async_trait::async_trait;
use event_log::{Appended, EventLog, LogError, SharedLog};
use schemas::{
    ids::{DekId, EventId, WorkspaceId},
    log::{Offset, Slot},
    record::SealedRecord,
};
use std::collections::BTreeSet;

/// Makes logs for the suite.
#[async_trait]
pub trait Fixture: Send {
    /// A new, empty log with this many slots.
    async fn create(&mut self, slots: u32) -> SharedLog;

    /// The log of the last `create`, opened once more as after a restart. `old` is the only handle there is.
    async fn reopen(&mut self, old: SharedLog) -> SharedLog;
}

/// A record that tells its number, with a value of `size` bytes.
pub fn record(number: u64, size: usize) -> SealedRecord {
    let mut event = [0; 16];
    event[8..].copy_from_slice(&number.to_be_bytes());
    SealedRecord {
        workspace: WorkspaceId([7; 16]),
        event: EventId(event),
        schema: 1,
        master_key: format!("w/{}/v1", WorkspaceId([7; 16])).into(),
        dek: DekId([9; 16]),
        wrapped_dek: [3; 60],
        commitment: [4; 16],
        value: (0..size).map(|i| (number as usize * 31 + i) as u8).collect::<Vec<_>>().into(),
    }
}

/// The records numbered so.
pub fn records(numbers: std::ops::Range<u64>) -> Vec<SealedRecord> {
    numbers.map(|number| record(number, (number % 97) as usize)).collect()
}

/// All records from `from` to the end, read in pieces of `max_bytes`; checks that the offsets have no gap.
pub async fn read_all(log: &dyn EventLog, slot: Slot, from: Offset, max_bytes: usize) -> Vec<SealedRecord> {
    try_read_all(log, slot, from, max_bytes).await.unwrap()
}

/// The same of a log that may not answer.
pub async fn try_read_all(
    log: &dyn EventLog,
    slot: Slot,
    from: Offset,
    max_bytes: usize,
) -> Result<Vec<SealedRecord>, LogError> {
    let (mut at, mut all) = (from, Vec::new());
    loop {
        let batch = log.read(slot, at, max_bytes).await?;
        if batch.records.is_empty() {
            assert_eq!(batch.next, at);
            return Ok(all);
        }
        for (offset, record) in batch.records {
            assert_eq!(offset, at, "no gap, no copy");
            at = at.next();
            all.push(record);
        }
        assert_eq!(batch.next, at);
    }
}

const A: Slot = Slot(0);
const B: Slot = Slot(1);

/// Appends are next to each other and come back in order, whatever the size of a read.
pub async fn keeps_order(fixture: &mut dyn Fixture) {
    let log = fixture.create(1).await;
    let (mut expected, mut at) = (Vec::new(), log.end(A).await.unwrap());
    for step in 0..40_u64 {
        let some = records(step * 10..step * 10 + step % 5 + 1);
        let next = Offset(at.0 + some.len() as u64);
        assert_eq!(log.append(A, some.clone()).await.unwrap(), Appended { first: at, next });
        at = next;
        expected.extend(some);
        assert_eq!(log.end(A).await.unwrap(), at);
    }
    let start = log.start(A).await.unwrap();
    for max_bytes in [0, 1, 700, usize::MAX] {
        assert_eq!(read_all(&*log, A, start, max_bytes).await, expected, "{max_bytes}");
    }
    let one = log.read(A, start, 0).await.unwrap();
    assert_eq!(one.records.len(), 1, "at least one record");
}

/// Reading may begin at any offset, also within what one call appended.
pub async fn reads_from_the_middle(fixture: &mut dyn Fixture) {
    let log = fixture.create(1).await;
    let expected = records(0..50);
    log.append(A, expected[..20].to_vec()).await.unwrap();
    log.append(A, expected[20..].to_vec()).await.unwrap();
    let log = fixture.reopen(log).await;
    for from in 0..=50 {
        assert_eq!(read_all(&*log, A, Offset(from), 500).await, expected[from as usize..]);
    }
}

/// Concurrent appends: all are there once, each record in its order within what its append was said to take, and one
/// caller's appends one after the other.
pub async fn concurrent_appends_keep_their_order(fixture: &mut dyn Fixture) {
    let log = fixture.create(1).await;
    let tasks: Vec<_> = (0..16_u64)
        .map(|task| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut placed = Vec::new();
                for step in 0..20 {
                    let (first, count) = (task * 1000 + step * 10, 1 + step % 4);
                    let appended = log.append(A, records(first..first + count)).await.unwrap();
                    assert!(log.end(A).await.unwrap() >= appended.next, "what was acknowledged is seen");
                    placed.push((appended, first, count));
                }
                placed
            })
        })
        .collect();
    let mut placed = Vec::new();
    for task in tasks {
        let of_task = task.await.unwrap();
        assert!(of_task.windows(2).all(|pair| pair[0].0.next <= pair[1].0.first), "one caller's appends are in order");
        placed.extend(of_task);
    }
    let all = read_all(&*log, A, Offset(0), 10_000).await;
    let count: u64 = placed.iter().map(|(_, _, count)| count).sum();
    assert_eq!(all.len() as u64, count);
    let mut seen = BTreeSet::new();
    for (appended, first, count) in placed {
        let own = records(first..first + count);
        let range = appended.first.0 as usize..appended.next.0 as usize;
        let found: Vec<_> = range.filter(|at| own.contains(&all[*at])).collect();
        assert_eq!(found.iter().map(|at| all[*at].clone()).collect::<Vec<_>>(), own, "each once, in order");
        assert_eq!((found[0], found[found.len() - 1] + 1), (appended.first.0 as usize, appended.next.0 as usize));
        assert!(found.into_iter().all(|at| seen.insert(at)));
    }
}

/// A waiter is woken by what comes, and not kept by what is there already.
pub async fn waits(fixture: &mut dyn Fixture) {
    let log = fixture.create(2).await;
    for round in 0..50 {
        let waiter = tokio::spawn({
            let log = log.clone();
            async move { log.wait(A, Offset(round)).await }
        });
        log.append(B, records(0..1)).await.unwrap();
        log.append(A, records(round..round + 1)).await.unwrap();
        waiter.await.unwrap().unwrap();
    }
    log.wait(A, Offset(0)).await.unwrap();
    log.wait(A, Offset(49)).await.unwrap();
    // A wait that is given up leaves nothing behind.
    let given_up = tokio::spawn({
        let log = log.clone();
        async move { log.wait(A, Offset(1000)).await }
    });
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    log.append(A, records(50..51)).await.unwrap();
    log.wait(A, Offset(50)).await.unwrap();
}

/// Slots know nothing of each other.
pub async fn slots_are_independent(fixture: &mut dyn Fixture) {
    let log = fixture.create(2).await;
    log.append(A, records(0..3)).await.unwrap();
    assert_eq!(log.append(B, records(100..102)).await.unwrap().first, Offset(0));
    assert_eq!(log.append(A, records(3..4)).await.unwrap().first, Offset(3));
    log.truncate(A, Offset(4)).await.unwrap();
    assert_eq!(read_all(&*log, B, Offset(0), 100).await, records(100..102));
    assert_eq!((log.start(B).await.unwrap(), log.end(B).await.unwrap()), (Offset(0), Offset(2)));
    assert_eq!(log.slots(), 2);
    for result in [
        log.append(Slot(2), records(0..1)).await.map(drop),
        log.append(Slot(2), Vec::new()).await.map(drop),
        log.read(Slot(2), Offset(0), 1).await.map(drop),
        log.wait(Slot(2), Offset(0)).await,
        log.start(Slot(2)).await.map(drop),
        log.end(Slot(2)).await.map(drop),
        log.truncate(Slot(2), Offset(0)).await,
    ] {
        assert!(matches!(result, Err(LogError::NoSuchSlot(Slot(2)))), "{result:?}");
    }
}

/// What is truncated may stay, but where it does not, reading says so, and offsets go on.
pub async fn truncates(fixture: &mut dyn Fixture) {
    let mut log = fixture.create(2).await;
    log.append(A, records(0..10)).await.unwrap();
    log.append(A, records(10..20)).await.unwrap();
    let mut highest = 0;
    for below in [0, 5, 3, 15, 20] {
        log.truncate(A, Offset(below)).await.unwrap();
        let start = log.start(A).await.unwrap();
        highest = highest.max(below);
        assert!(start <= Offset(highest), "{start}");
        if start > Offset(0) {
            let asked = Offset(start.0 - 1);
            match log.read(A, asked, 100).await {
                Err(LogError::Gone { slot: A, asked: told, start: first }) => {
                    assert_eq!((told, first), (asked, start));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(read_all(&*log, A, start, 100).await, records(start.0..20));
    }
    log = fixture.reopen(log).await;
    assert_eq!(log.end(A).await.unwrap(), Offset(20), "offsets go on even where nothing is left");
    assert_eq!(log.append(A, records(20..21)).await.unwrap().first, Offset(20));
    let start = log.start(A).await.unwrap();
    assert_eq!(read_all(&*log, A, start, 100).await, records(start.0..21));
    log.truncate(A, Offset(1_000_000)).await.unwrap();
    assert!(log.start(A).await.unwrap() <= Offset(21), "never beyond the end");
}

/// Nothing to append is durable at once and takes no offset.
pub async fn takes_empty_appends(fixture: &mut dyn Fixture) {
    let log = fixture.create(1).await;
    assert_eq!(log.append(A, Vec::new()).await.unwrap().first, Offset(0));
    log.append(A, records(0..2)).await.unwrap();
    assert_eq!(log.append(A, Vec::new()).await.unwrap().first, Offset(2));
    assert_eq!(log.end(A).await.unwrap(), Offset(2));
    assert_eq!(read_all(&*log, A, Offset(0), 100).await, records(0..2));
}

/// A restart changes neither epoch nor content; a new log has another epoch.
pub async fn survives_a_restart(fixture: &mut dyn Fixture) {
    let log = fixture.create(3).await;
    let epoch = log.epoch();
    log.append(B, records(0..30)).await.unwrap();
    let log = fixture.reopen(log).await;
    assert_eq!((log.epoch(), log.slots()), (epoch, 3));
    assert_eq!(log.append(B, records(30..31)).await.unwrap().first, Offset(30));
    let log = fixture.reopen(log).await;
    assert_eq!(read_all(&*log, B, Offset(0), 400).await, records(0..31));
    assert!(log.read(A, Offset(0), 100).await.unwrap().records.is_empty());
    drop(log);
    assert_ne!(fixture.create(3).await.epoch(), epoch);
}

/// Runs the suite, one test per case, with a new fixture each; `None` skips, and has said so.
#[macro_export]
macro_rules! event_log_suite {
    ($fixture:expr) => {
        $crate::event_log_suite!($fixture; keeps_order, reads_from_the_middle, concurrent_appends_keep_their_order, waits,
            slots_are_independent, truncates, takes_empty_appends, survives_a_restart);
    };
    ($fixture:expr; $($case:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                if let Some(mut fixture) = $fixture {
                    $crate::suite::$case(&mut fixture).await;
                }
            }
        )+
    };
}
