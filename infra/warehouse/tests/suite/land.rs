//! Slots and land commits.
use super::{Backend, build::*};
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
};
use warehouse::catalog::{CatalogError, DataFile, Generation, Outcome, SnapshotNumber};

/// The first binding counts; another log or another number of slots is refused.
pub async fn binding_is_for_one_log(backend: &impl Backend) {
    let catalog = backend.open().await;
    assert!(catalog.snapshots().await.expect("empty").is_empty());
    catalog.bind_log(EPOCH, SLOTS).await.expect("first");
    catalog.bind_log(EPOCH, SLOTS).await.expect("again");
    let other = catalog.bind_log(LogEpoch([8; 16]), SLOTS).await;
    assert!(matches!(other, Err(CatalogError::Damaged(_))), "{other:?}");
    let wider = catalog.bind_log(EPOCH, SLOTS + 1).await;
    assert!(matches!(wider, Err(CatalogError::Damaged(_))), "{wider:?}");
    let snapshots = catalog.snapshots().await.expect("bound");
    assert_eq!(snapshots.iter().map(|s| s.slot).collect::<Vec<_>>(), [Slot(0), Slot(1), Slot(2)]);
    for snapshot in snapshots {
        assert_eq!((snapshot.epoch, snapshot.number, snapshot.next), (EPOCH, SnapshotNumber(0), Offset(0)));
    }
    assert!(matches!(catalog.snapshot(Slot(3)).await, Err(CatalogError::Damaged(_))));
    assert!(matches!(catalog.take_slot(Slot(3), "worker").await, Err(CatalogError::Damaged(_))));
}

/// The plain case.
pub async fn a_commit_moves_the_slot_and_shows_its_files(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let first = catalog.commit_land(land(generation, 0, 10, vec![file(1), file(2)])).await.expect("committed");
    assert_eq!((first.slot, first.epoch, first.number, first.next), (SLOT, EPOCH, SnapshotNumber(1), Offset(10)));
    let second = catalog.commit_land(land(generation, 10, 11, vec![file(3)])).await.expect("committed");
    assert_eq!((second.number, second.next), (SnapshotNumber(2), Offset(11)));
    assert_eq!(catalog.snapshot(SLOT).await.expect("newest"), second);
    assert_eq!(catalog.live_files(SLOT).await.expect("live"), [file(1), file(2), file(3)]);
}

/// Offsets that hold nothing (tombstones, or only what was dropped) still move forward.
pub async fn offsets_without_rows_still_advance(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let snapshot = catalog.commit_land(land(generation, 0, 500, Vec::new())).await.expect("committed");
    assert_eq!((snapshot.number, snapshot.next), (SnapshotNumber(1), Offset(500)));
    let same = catalog.commit_land(land(generation, 500, 500, Vec::new())).await.expect("an empty interval");
    assert_eq!((same.number, same.next), (SnapshotNumber(2), Offset(500)));
}

/// Every placement but the right one, with everything that a commit carries.
pub async fn gaps_overlaps_and_repeats_are_refused_and_change_nothing(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let before = catalog.commit_land(land(generation, 0, 10, vec![file(1)])).await.expect("committed");
    for (from, to) in [(11, 20), (11, 11), (5, 20), (0, 10), (3, 7), (3, 3), (10, 9)] {
        let mut commit = land(generation, from, to, vec![file(2)]);
        commit.claimed.push(claim(workspace(1), event(1), NOW.0));
        commit.totals.push((workspace(1), Outcome::Committed, 9));
        assert_eq!(misplaced_at(catalog.commit_land(commit).await), 10, "{from}..{to}");
    }
    assert_eq!(catalog.snapshot(SLOT).await.expect("newest"), before);
    assert_eq!(catalog.live_files(SLOT).await.expect("live"), [file(1)]);
    assert!(catalog.totals().await.expect("totals").is_empty());
    assert!(catalog.claimed(workspace(1), &[event(1)], Offset(1)).await.expect("claimed").is_empty());
}

/// What the caller of a commit does when it did not hear the answer.
pub async fn a_lost_answer_can_be_asked_for(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let commit = land(generation, 0, 10, vec![file(1)]);
    let committed = catalog.commit_land(commit.clone()).await.expect("committed, but say the answer is lost");
    let asked = catalog.snapshot(SLOT).await.expect("newest");
    assert_eq!((asked, asked.next), (committed, commit.to), "it was committed");
    assert_eq!(misplaced_at(catalog.commit_land(commit).await), 10, "and sending it again is harmless");
    assert_eq!(catalog.live_files(SLOT).await.expect("live").len(), 1);
}

/// A stale worker cannot commit, wherever its batch begins.
pub async fn a_newer_generation_fences_the_older(backend: &impl Backend) {
    let catalog = backend.open().await;
    let old = bound(&catalog).await;
    let new = catalog.take_slot(SLOT, "other").await.expect("taken");
    assert!(new.number > old.number);
    for (from, to) in [(0, 10), (5, 10)] {
        let refused = catalog.commit_land(land(old, from, to, vec![file(1)])).await;
        assert!(matches!(refused, Err(CatalogError::Fenced(_))), "{refused:?}");
    }
    assert!(catalog.live_files(SLOT).await.expect("live").is_empty());
    catalog.commit_land(land(new, 0, 10, vec![file(1)])).await.expect("the newer one may");
    let invented = Generation { slot: SLOT, number: new.number + 1 };
    assert!(matches!(catalog.commit_land(land(invented, 10, 11, Vec::new())).await, Err(CatalogError::Fenced(_))));
}

/// Each slot has its own offsets, snapshots, generation and files.
pub async fn slots_do_not_mix(backend: &impl Backend) {
    let catalog = backend.open().await;
    let one = bound(&catalog).await;
    let two = catalog.take_slot(Slot(2), "worker").await.expect("taken");
    catalog.commit_land(land(one, 0, 10, vec![file(1)])).await.expect("committed");
    let other = DataFile { slot: Slot(2), ..file(2) };
    catalog.commit_land(land(two, 0, 3, vec![other.clone()])).await.expect("committed");
    assert_eq!(ids(&catalog.live_files(SLOT).await.expect("live")), ids(&[file(1)]));
    assert_eq!(catalog.live_files(Slot(2)).await.expect("live"), std::slice::from_ref(&other));
    assert_eq!(catalog.snapshot(Slot(0)).await.expect("newest").next, Offset(0));
    let wrong = catalog.commit_land(land(one, 10, 11, vec![DataFile { slot: Slot(2), ..file(3) }])).await;
    assert!(matches!(wrong, Err(CatalogError::Damaged(_))), "a file of another slot: {wrong:?}");
    assert_eq!(catalog.snapshot(SLOT).await.expect("newest").next, Offset(10));
}
