//! Disks that are full, fail, or lose their power.
use crate::{
    suite::{read_all, record, records},
    support::{Faulty, Queued, copy, options, segments},
};
use event_log::{
    EventLog, LogError, SharedLog,
    embedded::{EmbeddedLog, Options},
};
use schemas::{
    clock::SeededEntropy,
    log::{Offset, Slot},
};
use std::path::Path;

const A: Slot = Slot(0);

struct Setup {
    directory: tempfile::TempDir,
    disk: Faulty,
    log: SharedLog,
}

impl Setup {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let disk = Faulty::default();
        let mut options = options(&directory.path().join("log"), 2, 1);
        options.storage = std::sync::Arc::new(disk.clone());
        change(&mut options);
        let log = EmbeddedLog::open(options).unwrap();
        Self { directory, disk, log }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("log")
    }

    async fn append(&self, numbers: std::ops::Range<u64>) -> Result<Offset, LogError> {
        Ok(self.log.append(A, records(numbers)).await?.first)
    }

    async fn refuses(&self, numbers: std::ops::Range<u64>) {
        let result = self.append(numbers).await;
        assert!(matches!(result, Err(LogError::Unavailable(_))), "{result:?}");
    }

    /// Slot A holds these records: for readers now, after a kill at this instant, and after a clean restart.
    async fn holds(self, numbers: std::ops::Range<u64>) {
        assert_eq!(read_all(&*self.log, A, Offset(0), 1000).await, records(numbers.clone()));
        let killed = self.directory.path().join("killed");
        copy(&self.path(), &killed);
        hold(&killed, numbers.clone()).await;
        let path = self.path();
        drop(self.log);
        assert_eq!(self.disk.0.faults.lock().trusted_a_poisoned_file, 0);
        hold(&path, numbers).await;
    }
}

async fn hold(path: &Path, numbers: std::ops::Range<u64>) {
    let end = numbers.end;
    let log = EmbeddedLog::open(options(path, 2, 2)).unwrap();
    assert_eq!(read_all(&*log, A, Offset(0), 1000).await, records(numbers));
    assert_eq!(log.append(A, records(end..end + 1)).await.unwrap().first, Offset(end));
}

#[tokio::test]
async fn one_sync_serves_all_that_gathered_during_the_last() {
    let setup = Setup::new();
    let before = setup.disk.0.faults.lock().syncs;
    setup.disk.0.set(|f| f.hold_syncs = true);
    let first = Queued::append(&setup.log, A, records(0..1));
    setup.disk.0.until_held();
    let gathered: Vec<_> = (1..101).map(|n| Queued::append(&setup.log, A, records(n..n + 1))).collect();
    setup.disk.0.set(|f| f.hold_syncs = false);
    assert_eq!(first.answer().await.unwrap(), Offset(0));
    for (queued, offset) in gathered.into_iter().zip(1..) {
        assert_eq!(queued.answer().await.unwrap(), Offset(offset));
    }
    assert_eq!(setup.disk.0.faults.lock().syncs - before, 2);
    setup.holds(0..101).await;
}

#[tokio::test]
async fn what_is_not_durable_is_not_seen() {
    let setup = Setup::new();
    setup.append(0..1).await.unwrap();
    setup.disk.0.set(|f| f.hold_syncs = true);
    let queued = Queued::append(&setup.log, A, records(1..2));
    setup.disk.0.until_held();
    assert_eq!(setup.log.end(A).await.unwrap(), Offset(1));
    assert_eq!(read_all(&*setup.log, A, Offset(0), 1000).await, records(0..1));
    setup.disk.0.set(|f| f.hold_syncs = false);
    queued.answer().await.unwrap();
    setup.holds(0..2).await;
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_space() {
    for space in [0, 1, 36, 250, 700] {
        let setup = Setup::new();
        setup.append(0..3).await.unwrap();
        let len = std::fs::metadata(&segments(&setup.path())[0]).unwrap().len();
        setup.disk.0.set(|f| f.space = Some(space));
        for _ in 0..3 {
            setup.refuses(3..8).await;
            assert_eq!(std::fs::metadata(&segments(&setup.path())[0]).unwrap().len(), len, "cut back");
        }
        assert_eq!(setup.log.end(A).await.unwrap(), Offset(3));
        setup.disk.0.set(|f| f.space = None);
        assert_eq!(setup.append(3..8).await.unwrap(), Offset(3));
        assert_eq!(segments(&setup.path()).len(), 1, "no reason for a new segment");
        setup.holds(0..8).await;
    }
}

#[tokio::test]
async fn nothing_of_a_group_that_does_not_fit_is_appended() {
    let setup = Setup::new();
    setup.disk.0.set(|f| f.hold_syncs = true);
    let first = Queued::append(&setup.log, A, records(0..1));
    setup.disk.0.until_held();
    let group: Vec<_> = (1..6).map(|n| Queued::append(&setup.log, A, records(n..n + 1))).collect();
    setup.disk.0.set(|f| {
        f.space = Some(500);
        f.hold_syncs = false;
    });
    first.answer().await.unwrap();
    for queued in group {
        assert!(matches!(queued.answer().await, Err(LogError::Unavailable(_))));
    }
    setup.disk.0.set(|f| f.space = None);
    assert_eq!(setup.append(1..2).await.unwrap(), Offset(1));
    setup.holds(0..2).await;
}

#[tokio::test]
async fn a_failed_sync_acknowledges_nothing_and_its_file_is_never_trusted_again() {
    for (times, no_cutting) in [(1, false), (1, true), (3, false), (3, true)] {
        let setup = Setup::new();
        setup.append(0..5).await.unwrap();
        for round in 0..times {
            setup.disk.0.set(|f| (f.failing_syncs, f.no_cutting) = (1, no_cutting));
            setup.refuses(100..110).await;
            assert_eq!(setup.log.end(A).await.unwrap(), Offset(5 + round));
            setup.disk.0.set(|f| (f.failing_syncs, f.no_cutting) = (1, no_cutting));
            // Now the new segment cannot be made durable.
            setup.refuses(100..110).await;
            assert_eq!(setup.append(5 + round..6 + round).await.unwrap(), Offset(5 + round));
        }
        assert_eq!(segments(&setup.path()).len(), 1 + times as usize);
        setup.holds(0..5 + times).await;
    }
}

#[tokio::test]
async fn a_write_that_can_not_be_taken_back_is_left_behind_in_a_closed_segment() {
    let setup = Setup::new();
    setup.append(0..5).await.unwrap();
    setup.disk.0.set(|f| (f.space, f.no_cutting) = (Some(400), true));
    setup.refuses(100..110).await;
    setup.refuses(100..110).await;
    setup.disk.0.set(|f| f.space = None);
    assert_eq!(setup.append(5..6).await.unwrap(), Offset(5));
    assert_eq!(segments(&setup.path()).len(), 2);
    setup.disk.0.set(|f| f.no_cutting = false);
    setup.holds(0..6).await;
}

#[tokio::test]
async fn a_segment_that_cannot_be_begun_is_tried_again() {
    for (no_creating, no_dir_syncs) in [(true, false), (false, true)] {
        let setup = Setup::with(|options| options.segment_bytes = 1000);
        setup.append(0..8).await.unwrap();
        setup.disk.0.set(|f| (f.no_creating, f.no_dir_syncs) = (no_creating, no_dir_syncs));
        setup.refuses(8..9).await;
        setup.refuses(8..9).await;
        setup.disk.0.set(|f| (f.no_creating, f.no_dir_syncs) = (false, false));
        assert_eq!(setup.append(8..10).await.unwrap(), Offset(8));
        assert_eq!(segments(&setup.path()).len(), 2);
        setup.holds(0..10).await;
    }
}

#[tokio::test]
async fn acknowledged_bytes_that_a_failing_disk_lost_are_reported() {
    let setup = Setup::new();
    setup.append(0..5).await.unwrap();
    let path = &segments(&setup.path())[0];
    let mut bytes = std::fs::read(path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(path, bytes).unwrap();
    setup.disk.0.set(|f| f.failing_syncs = 1);
    setup.refuses(5..6).await;
    for _ in 0..2 {
        let result = setup.append(5..6).await;
        assert!(matches!(result, Err(LogError::Damaged(_))), "{result:?}");
    }
}

#[tokio::test]
async fn damage_is_found_when_reading_and_memory_does_without_the_disk() {
    let setup = Setup::with(|options| options.cache_bytes = 1200);
    for n in 0..20 {
        setup.append(n..n + 1).await.unwrap();
    }
    let path = &segments(&setup.path())[0];
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let reads = setup.disk.0.faults.lock().reads;
    assert_eq!(read_all(&*setup.log, A, Offset(18), 1000).await, records(18..20));
    assert_eq!(setup.disk.0.faults.lock().reads, reads, "the newest are in memory");
    assert_eq!(setup.log.read(A, Offset(0), 1).await.unwrap().records[0].1, records(0..1)[0]);
    let result = setup.log.read(A, Offset(0), usize::MAX).await;
    assert!(matches!(result, Err(LogError::Damaged(_))), "{result:?}");
}

#[tokio::test]
async fn the_size_limit_pushes_back_and_truncation_frees() {
    let setup = Setup::with(|options| (options.segment_bytes, options.max_total_bytes) = (1000, 3500));
    let mut end = 0;
    while setup.append(end..end + 1).await.is_ok() {
        end += 1;
    }
    setup.refuses(end..end + 1).await;
    assert!((5..30).contains(&end), "{end}");
    setup.log.truncate(A, Offset(end)).await.unwrap();
    for n in end..end + 5 {
        assert_eq!(setup.append(n..n + 1).await.unwrap(), Offset(n));
    }
    assert!(segments(&setup.path()).iter().map(|path| path.metadata().unwrap().len()).sum::<u64>() <= 3500);
    assert_eq!(read_all(&*setup.log, A, Offset(end), 1000).await, records(end..end + 5));
}

#[tokio::test]
async fn one_segment_over_the_limit_is_replaced_once_nobody_needs_it() {
    let setup = Setup::with(|options| options.max_total_bytes = 2000);
    let mut end = 0;
    while setup.append(end..end + 1).await.is_ok() {
        end += 1;
    }
    setup.log.truncate(A, Offset(end)).await.unwrap();
    assert_eq!(setup.append(end..end + 1).await.unwrap(), Offset(end));
    assert_eq!(segments(&setup.path()).len(), 1);
}

#[tokio::test]
async fn close_writes_out_what_waits_and_lets_go() {
    let setup = Setup::new();
    let log = EmbeddedLog::open({
        let mut options = options(&setup.directory.path().join("other"), 1, 3);
        options.storage = std::sync::Arc::new(setup.disk.clone());
        options
    })
    .unwrap();
    let shared: SharedLog = log.clone();
    setup.disk.0.set(|f| f.hold_syncs = true);
    let first = Queued::append(&shared, A, records(0..1));
    setup.disk.0.until_held();
    let others: Vec<_> = (1..4).map(|n| Queued::append(&shared, A, records(n..n + 1))).collect();
    let waiter = tokio::spawn({
        let shared = shared.clone();
        async move { shared.wait(A, Offset(100)).await }
    });
    let closer = tokio::spawn({
        let log = log.clone();
        async move { log.close().await }
    });
    setup.disk.0.set(|f| f.hold_syncs = false);
    first.answer().await.unwrap();
    for queued in others {
        queued.answer().await.unwrap();
    }
    closer.await.unwrap();
    log.close().await;
    assert!(matches!(waiter.await.unwrap(), Err(LogError::Unavailable(_))));
    assert!(matches!(shared.append(A, records(4..5)).await, Err(LogError::Unavailable(_))));
    assert_eq!(read_all(&*shared, A, Offset(0), 1000).await, records(0..4));
    let again = EmbeddedLog::open(options(&setup.directory.path().join("other"), 1, 3)).unwrap();
    assert_eq!(read_all(&*again, A, Offset(0), 1000).await, records(0..4));
}

#[tokio::test]
async fn a_caller_that_goes_away_harms_nobody() {
    let setup = Setup::new();
    setup.disk.0.set(|f| f.hold_syncs = true);
    let first = Queued::append(&setup.log, A, records(0..1));
    setup.disk.0.until_held();
    drop(first);
    drop(Queued::append(&setup.log, A, records(1..2)));
    let third = Queued::append(&setup.log, A, records(2..3));
    setup.disk.0.set(|f| f.hold_syncs = false);
    assert_eq!(third.answer().await.unwrap(), Offset(2));
    setup.holds(0..3).await;
}

/// A disk may keep any part of a write that was not synced, the later without the earlier.
#[tokio::test]
async fn a_power_cut_takes_no_acknowledged_record_and_splits_no_append() {
    let mut kept_some = 0;
    for seed in 0..150 {
        let setup = Setup::new();
        let image = setup.directory.path().join("image");
        for n in 0..3 {
            setup.append(n * 10..n * 10 + 10).await.unwrap();
        }
        setup.disk.0.set(|f| f.hold_syncs = true);
        let last = Queued::append(&setup.log, A, records(30..40));
        setup.disk.0.until_held();
        let group: Vec<_> = (4..12)
            .map(|n| {
                Queued::append(&setup.log, A, (n * 10..n * 10 + 10).map(|n| record(n, (n % 97) as usize)).collect())
            })
            .collect();
        setup.disk.0.set(|f| {
            f.power_cut = Some((1, image.clone(), SeededEntropy::new(seed)));
            f.hold_syncs = false;
        });
        last.answer().await.unwrap();
        for queued in group {
            assert!(queued.answer().await.is_err());
        }
        let log = EmbeddedLog::open(options(&image, 2, 2)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let end = log.end(A).await.unwrap().0;
        assert!(end >= 40 && end % 10 == 0, "seed {seed}: {end}");
        kept_some += u32::from(end > 40);
        drop(log);
        hold(&image, 0..end).await;
        hold(&image, 0..end + 1).await;
    }
    assert!(kept_some > 0, "some cuts leave whole frames");
}

/// `EVENT_LOG_SMALL_FS=/a/file/system/of/some/megabytes cargo test -p event-log -- --ignored really_full`
#[tokio::test]
#[ignore = "needs a small file system of its own in EVENT_LOG_SMALL_FS"]
async fn a_really_full_file_system_refuses_until_there_is_space() {
    use std::io::Write;
    let Ok(small) = std::env::var("EVENT_LOG_SMALL_FS") else { return };
    let (path, ballast) = (Path::new(&small).join("log"), Path::new(&small).join("ballast"));
    let log: SharedLog = EmbeddedLog::open(options(&path, 2, 1)).unwrap();
    let mut end = 0;
    for round in 1..=3 {
        for _ in 0..10 {
            assert_eq!(log.append(A, records(end..end + 5)).await.unwrap().first, Offset(end));
            end += 5;
        }
        let mut file = std::fs::File::create(&ballast).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        let mut refused = 0;
        while refused < 5 {
            match log.append(A, records(end..end + 5)).await {
                Ok(appended) => {
                    assert_eq!((appended.first, refused), (Offset(end), 0), "round {round}");
                    end += 5;
                }
                Err(LogError::Unavailable(_)) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        std::fs::remove_file(&ballast).unwrap();
    }
    assert_eq!(log.append(A, records(end..end + 1)).await.unwrap().first, Offset(end));
    drop(log);
    hold(&path, 0..end + 1).await;
    std::fs::remove_dir_all(path).unwrap();
}
