//! What is on the disk: identity, torn tails, damage, deletion.
use crate::{
    suite::{read_all, records},
    support::{copy, options, segments},
};
use event_log::{
    EventLog, LogError,
    embedded::{EmbeddedLog, OpenError, Options},
};
use schemas::{
    clock::ManualClock,
    log::{Offset, Slot},
    time::Millis,
};
use std::{fs, path::Path, sync::Arc, time::Duration};

const A: Slot = Slot(0);
const B: Slot = Slot(1);

fn open(path: &Path) -> Result<Arc<EmbeddedLog>, OpenError> {
    EmbeddedLog::open(options(path, 2, 1))
}

fn tiny(path: &Path) -> Options {
    let mut options = options(path, 2, 1);
    options.segment_bytes = 1000;
    options
}

#[tokio::test]
async fn the_number_of_slots_is_fixed() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let error = EmbeddedLog::open(options(directory.path(), 3, 1)).err().unwrap();
    assert!(matches!(error, OpenError::Slots { asked: 3, actual: 2, .. }), "{error}");
    for slots in [0, 65_537] {
        let error = EmbeddedLog::open(options(directory.path(), slots, 1)).err().unwrap();
        assert!(matches!(error, OpenError::Invalid(_)), "{error}");
    }
}

#[tokio::test]
async fn only_one_can_have_it_open() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path()).unwrap();
    let error = open(directory.path()).err().unwrap();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    drop(log);
    open(directory.path()).unwrap();
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let path = directory.path().join("meta");
    let mut bytes = fs::read(&path).unwrap();
    bytes[11] = 2;
    let body = bytes.len() - 4;
    let crc = crc32c::crc32c(&bytes[..body]);
    bytes[body..].copy_from_slice(&crc.to_be_bytes());
    fs::write(&path, bytes).unwrap();
    let error = open(directory.path()).err().unwrap();
    assert!(matches!(error, OpenError::Version { version: 2, .. }), "{error}");
}

#[tokio::test]
async fn an_interrupted_creation_is_done_again_but_lost_files_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    drop(open(path).unwrap());
    fs::remove_file(path.join("meta")).unwrap();
    fs::write(path.join("meta.tmp"), b"half").unwrap();
    fs::write(path.join("segment.tmp"), b"half").unwrap();
    let log = open(path).unwrap();
    log.append(A, records(0..1)).await.unwrap();
    drop(log);
    let meta = fs::read(path.join("meta")).unwrap();
    fs::remove_file(path.join("meta")).unwrap();
    assert!(matches!(open(path).err().unwrap(), OpenError::Damaged { .. }));
    fs::write(path.join("meta"), meta).unwrap();
    let log = open(path).unwrap();
    assert_eq!(read_all(&*log, A, Offset(0), 100).await, records(0..1));
    drop(log);
    fs::remove_file(&segments(path)[0]).unwrap();
    assert!(matches!(open(path).err().unwrap(), OpenError::Damaged { .. }));
}

/// A log of several segments, closed; the number of records in slot A.
async fn filled(path: &Path) -> u64 {
    let log = EmbeddedLog::open(tiny(path)).unwrap();
    for n in 0..12 {
        log.append(A, records(n * 2..n * 2 + 2)).await.unwrap();
        log.append(B, records(n..n + 1)).await.unwrap();
    }
    log.truncate(B, Offset(1)).await.unwrap();
    drop(log);
    assert!(segments(path).len() >= 3);
    24
}

#[tokio::test]
async fn no_changed_byte_goes_unnoticed() {
    let directory = tempfile::tempdir().unwrap();
    let original = directory.path().join("original");
    filled(&original).await;
    let mut files = segments(&original);
    files.push(original.join("meta"));
    let last = files[files.len() - 2].clone();
    // The last frame has no one to vouch for it; it holds no records but the marks, which the head has as well.
    let own = 36 + 2 * 8;
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let end = if file == last { bytes.len() - own } else { bytes.len() };
        for at in (0..end).step_by(7) {
            let copied = directory.path().join("copy");
            copy(&original, &copied);
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(copied.join(file.file_name().unwrap()), changed).unwrap();
            let error = open(&copied).err().unwrap_or_else(|| panic!("byte {at} of {}", file.display()));
            assert!(matches!(error, OpenError::Damaged { .. }), "byte {at}: {error}");
        }
    }
}

#[tokio::test]
async fn missing_and_shortened_segments_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    let original = directory.path().join("original");
    filled(&original).await;
    let files = segments(&original);
    for damage in [0, 1] {
        let copied = directory.path().join(format!("copy{damage}"));
        copy(&original, &copied);
        let file = copied.join(files[1].file_name().unwrap());
        if damage == 0 {
            fs::remove_file(file).unwrap();
        } else {
            let len = fs::metadata(&file).unwrap().len();
            fs::OpenOptions::new().write(true).open(file).unwrap().set_len(len - 1).unwrap();
        }
        assert!(matches!(open(&copied).err().unwrap(), OpenError::Damaged { .. }));
    }
}

#[tokio::test]
async fn a_tail_torn_anywhere_costs_only_what_was_not_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = open(&path).unwrap();
    log.append(A, records(0..5)).await.unwrap();
    let acknowledged = fs::metadata(&segments(&path)[0]).unwrap().len() as usize;
    log.append(A, records(5..9)).await.unwrap();
    let bytes = fs::read(&segments(&path)[0]).unwrap();
    for len in acknowledged..bytes.len() {
        let copied = directory.path().join("copy");
        copy(&path, &copied);
        fs::write(&segments(&copied)[0], &bytes[..len]).unwrap();
        let torn = open(&copied).unwrap();
        assert_eq!(torn.append(A, records(5..6)).await.unwrap().first, Offset(5), "cut at {len}");
        drop(torn);
        assert_eq!(read_all(&*open(&copied).unwrap(), A, Offset(0), 500).await, records(0..6));
    }
}

#[tokio::test]
async fn offsets_and_marks_survive_when_every_record_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = tiny(directory.path());
    let clock = ManualClock::at(Millis(0));
    options.clock = clock.clone();
    let log = EmbeddedLog::open(options).unwrap();
    for n in 0..30 {
        log.append(A, records(n..n + 1)).await.unwrap();
    }
    log.append(B, records(0..3)).await.unwrap();
    assert!(segments(directory.path()).len() > 3);
    log.truncate(A, Offset(30)).await.unwrap();
    assert!(segments(directory.path()).len() <= 2, "only B's records are left");
    log.truncate(B, Offset(3)).await.unwrap();
    clock.advance(Duration::from_secs(6 * 3600));
    log.maintain().await.unwrap();
    assert_eq!(segments(directory.path()).len(), 1);
    assert!(log.disk_bytes() < 300, "a head and some marks, no record");
    for killed in [true, false] {
        let copied = directory.path().join(format!("{killed}"));
        fs::create_dir(&copied).unwrap();
        for name in ["meta".into(), segments(directory.path())[0].file_name().unwrap().to_owned()] {
            fs::copy(directory.path().join(&name), copied.join(&name)).unwrap();
        }
        if !killed {
            drop(open(&copied).unwrap());
        }
        let again = open(&copied).unwrap();
        for (slot, end) in [(A, 30), (B, 3)] {
            assert_eq!(again.start(slot).await.unwrap(), Offset(end));
            assert_eq!(again.end(slot).await.unwrap(), Offset(end));
            let gone = again.read(slot, Offset(end - 1), 1).await;
            assert!(matches!(gone, Err(LogError::Gone { start, .. }) if start == Offset(end)), "{gone:?}");
            assert_eq!(again.append(slot, records(end..end + 1)).await.unwrap().first, Offset(end));
        }
    }
}

#[tokio::test]
async fn a_mark_is_kept_over_a_kill_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = open(&path).unwrap();
    log.append(A, records(0..10)).await.unwrap();
    log.truncate(A, Offset(7)).await.unwrap();
    let copied = directory.path().join("copy");
    copy(&path, &copied);
    let again = open(&copied).unwrap();
    assert_eq!(again.start(A).await.unwrap(), Offset(7));
    assert_eq!(read_all(&*again, A, Offset(7), 100).await, records(7..10));
}

#[tokio::test]
async fn an_old_segment_is_closed_at_the_next_call() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(directory.path(), 2, 1);
    let clock = ManualClock::at(Millis(0));
    options.clock = clock.clone();
    let log = EmbeddedLog::open(options).unwrap();
    clock.advance(Duration::from_secs(100 * 3600));
    log.append(A, records(0..1)).await.unwrap();
    log.append(A, records(1..2)).await.unwrap();
    assert_eq!(segments(directory.path()).len(), 1, "its age counts from its first record");
    clock.advance(Duration::from_secs(6 * 3600 - 1));
    log.maintain().await.unwrap();
    assert_eq!(segments(directory.path()).len(), 1);
    clock.advance(Duration::from_secs(1));
    log.append(B, records(0..1)).await.unwrap();
    assert_eq!(segments(directory.path()).len(), 2);
    clock.advance(Duration::from_secs(6 * 3600));
    log.truncate(A, Offset(2)).await.unwrap();
    assert_eq!(segments(directory.path()).len(), 2, "the oldest went, a new one came");
    log.truncate(B, Offset(1)).await.unwrap();
    assert_eq!(segments(directory.path()).len(), 1);
}

#[tokio::test]
async fn a_large_segment_that_nobody_needs_goes_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path()).unwrap();
    let big = crate::suite::record(0, 2 << 20);
    log.append(A, vec![big.clone()]).await.unwrap();
    assert_eq!(log.read(A, Offset(0), 1).await.unwrap().records, [(Offset(0), big)]);
    log.truncate(A, Offset(1)).await.unwrap();
    assert!(log.disk_bytes() < 1000);
    assert_eq!(log.append(A, records(1..2)).await.unwrap().first, Offset(1));
}

#[tokio::test]
async fn what_was_laid_out_is_trimmed_at_the_end_and_cut_after_a_kill() {
    const LAID_OUT: u64 = 100_000;
    let (directory, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let laid_out = |path: &Path| Options { segment_bytes: LAID_OUT, lay_out: true, ..options(path, 2, 1) };
    let length = |path: &Path| fs::metadata(segments(path).pop().unwrap()).unwrap().len();
    let log = EmbeddedLog::open(laid_out(directory.path())).unwrap();
    let mut next = 0;
    // Until a segment is written to that was laid out; which one depends on how fast the other thread is.
    while next < 3 || length(directory.path()) != LAID_OUT {
        assert_eq!(log.append(A, records(next..next + 3)).await.unwrap().first, Offset(next));
        next += 3;
    }
    copy(directory.path(), killed.path());
    drop(log);
    for path in [directory.path(), killed.path()] {
        let log = EmbeddedLog::open(laid_out(path)).unwrap();
        assert!(length(path) < LAID_OUT, "{}", length(path));
        assert!(!path.join("segment.next").exists());
        assert_eq!(read_all(&*log, A, Offset(0), 1 << 20).await, records(0..next));
        assert_eq!(log.append(A, records(next..next + 1)).await.unwrap().first, Offset(next));
        drop(log);
    }
}
