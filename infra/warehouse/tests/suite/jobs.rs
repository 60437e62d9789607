//! Leases, replacements, and what happens to removed files.
use super::{Backend, build::*};
use schemas::{
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table},
    time::Millis,
};
use warehouse::catalog::{CatalogError, Crowd, DataFile, Replacement, SnapshotNumber};

/// The plain case, with derived offsets.
pub async fn a_replacement_swaps_files(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    catalog.commit_land(land(generation, 0, 10, vec![file(1), file(2)])).await.expect("committed");
    let lease = lease(&catalog, "derive/1").await;
    assert!(catalog.derived(SLOT).await.expect("derived").is_empty());
    let mut swap = replacement(&lease, &[file(1)], vec![file(3)]);
    swap.derived = vec![(workspace(1), Offset(10)), (workspace(2), Offset(4))];
    let snapshot = catalog.replace(swap).await.expect("replaced");
    assert_eq!(snapshot.next, Offset(10), "a job moves no offset");
    assert_eq!(ids(&catalog.live_files(SLOT).await.expect("live")), ids(&[file(2), file(3)]));
    let derived = catalog.derived(SLOT).await.expect("derived");
    assert_eq!(derived, [(workspace(1), Offset(10)), (workspace(2), Offset(4))]);
    let mut only_derived = replacement(&lease, &[], Vec::new());
    only_derived.derived = vec![(workspace(2), Offset(10))];
    catalog.replace(only_derived).await.expect("empty lists are fine");
    let derived = catalog.derived(SLOT).await.expect("derived");
    assert_eq!(derived, [(workspace(1), Offset(10)), (workspace(2), Offset(10))]);
    assert!(catalog.derived(Slot(0)).await.expect("derived").is_empty());
}

/// Removed before, never there, or of another slot: refused as a whole.
pub async fn a_replacement_of_what_is_not_live_changes_nothing(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let zero = catalog.take_slot(Slot(0), "worker").await.expect("taken");
    let elsewhere = DataFile { slot: Slot(0), ..file(7) };
    catalog.commit_land(land(zero, 0, 1, vec![elsewhere.clone()])).await.expect("committed");
    catalog.commit_land(land(generation, 0, 10, vec![file(1), file(2)])).await.expect("committed");
    let lease = lease(&catalog, "compact/1").await;
    catalog.replace(replacement(&lease, &[file(1)], vec![file(3)])).await.expect("replaced");
    let before = catalog.snapshot(SLOT).await.expect("newest");
    for gone in [file(1), file(99), elsewhere] {
        let mut swap = replacement(&lease, &[file(2), gone.clone()], vec![file(4)]);
        swap.derived = vec![(workspace(1), Offset(10))];
        match catalog.replace(swap).await {
            Err(CatalogError::NotLive(id)) => assert_eq!(id, gone.id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(catalog.snapshot(SLOT).await.expect("newest"), before);
    assert_eq!(ids(&catalog.live_files(SLOT).await.expect("live")), ids(&[file(2), file(3)]));
    assert_eq!(catalog.live_files(Slot(0)).await.expect("live").len(), 1);
    assert!(catalog.derived(SLOT).await.expect("derived").is_empty());
}

/// A job that lost its lease cannot commit; an expired one that nobody took can.
pub async fn a_replacement_needs_the_newest_lease(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    catalog.commit_land(land(generation, 0, 10, vec![file(1), file(2)])).await.expect("committed");
    let old = lease(&catalog, "compact/1").await;
    let late = Millis(NOW.0 + 60_000);
    let mut after_its_time = replacement(&old, &[file(1)], vec![file(3)]);
    after_its_time.at = Millis(late.0 + 1);
    catalog.replace(after_its_time).await.expect("nobody else has it");
    let new = catalog.take_lease("compact/1", "other", late, Millis(late.0 + 60_000)).await.expect("asked");
    let new = new.expect("expired");
    assert!(new.number > old.number);
    let before = catalog.snapshot(SLOT).await.expect("newest");
    let refused = catalog.replace(replacement(&old, &[file(2)], vec![file(4)])).await;
    assert!(matches!(refused, Err(CatalogError::Fenced(_))), "{refused:?}");
    let unknown = Replacement {
        lease: warehouse::catalog::Lease { job: "no".into(), number: 1 },
        ..replacement(&old, &[], vec![])
    };
    assert!(matches!(catalog.replace(unknown).await, Err(CatalogError::Fenced(_))));
    assert_eq!(catalog.snapshot(SLOT).await.expect("newest"), before);
    catalog.replace(replacement(&new, &[file(2)], vec![file(4)])).await.expect("the newer one may");
}

/// Free, taken, renewed, expired; each job for itself.
pub async fn leases_are_taken_renewed_and_expire(backend: &impl Backend) {
    let catalog = backend.open().await;
    let take = async |job: &str, holder: &str, now: i64, until: i64| {
        catalog.take_lease(job, holder, Millis(now), Millis(until)).await.expect("asked").map(|lease| lease.number)
    };
    assert_eq!(take("expire", "a", 0, 100).await, Some(1), "free");
    assert_eq!(take("expire", "b", 99, 200).await, None, "held until 100");
    assert_eq!(take("compact/0", "b", 99, 200).await, Some(1), "another job");
    assert_eq!(take("expire", "a", 50, 150).await, Some(1), "renewed: what runs under it goes on");
    assert_eq!(take("expire", "b", 149, 200).await, None, "held until 150");
    assert_eq!(take("expire", "b", 150, 250).await, Some(2), "expired");
    assert_eq!(take("expire", "a", 160, 300).await, None, "now it is the other's");
    assert_eq!(take("expire", "a", 250, 300).await, Some(3), "a number never comes again");
}

/// Removal marks; objects go later; then the row.
pub async fn removed_files_are_listed_and_forgotten(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let all: Vec<DataFile> = (1..=200).map(file).collect();
    let pinned = catalog.commit_land(land(generation, 0, 10, all.clone())).await.expect("committed");
    let lease = lease(&catalog, "expire").await;
    for (n, at) in [(0usize, 3_000), (1, 1_000), (2, 2_000)] {
        let removal = Replacement { at: Millis(at), ..replacement(&lease, &all[n..=n], Vec::new()) };
        catalog.replace(removal).await.expect("replaced");
    }
    let before = async |at: i64, limit: usize| ids(&catalog.removed_before(Millis(at), limit).await.expect("removed"));
    assert_eq!(before(1_000, 10).await, [], "an instant is not before itself");
    assert_eq!(before(1_001, 10).await, ids(&all[1..2]));
    assert_eq!(before(i64::MAX, 10).await, ids(&[file(2), file(3), file(1)]), "oldest first");
    assert_eq!(before(i64::MAX, 2).await, ids(&[file(2), file(3)]));
    let known = catalog.known_files().await.expect("known");
    assert_eq!(known.len(), 200);
    assert_eq!(known.iter().filter(|(_, _, live)| !live).count(), 3);
    assert!(known.iter().all(|(owner, _, _)| *owner == workspace(1)));
    assert_eq!(catalog.files(workspace(1), pinned).await.expect("files").len(), 200);
    catalog.forget_files(&ids(&all)).await.expect("forgotten");
    assert_eq!(catalog.known_files().await.expect("known").len(), 197, "live files are never forgotten");
    assert_eq!(before(i64::MAX, 10).await, []);
    catalog.forget_files(&ids(&all[..3])).await.expect("again");
    catalog.forget_files(&[]).await.expect("none");
}

/// Files that reach beyond what is derived, and came after a snapshot.
pub async fn underived_workspaces_are_found(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let of = |n: u64, owner: u64, from: u64, to: u64| DataFile {
        workspace: workspace(owner),
        min_offset: Offset(from),
        max_offset: Offset(to),
        ..file(n)
    };
    let states = DataFile { table: Table::Conversations, ..of(3, 3, 0, 9) };
    let first = land(generation, 0, 10, vec![of(1, 1, 0, 4), of(2, 2, 5, 9), states]);
    let first = catalog.commit_land(first).await.expect("committed").number;
    let none = SnapshotNumber(0);
    let asked = async |since: SnapshotNumber| catalog.underived(SLOT, since).await.expect("asked");
    assert_eq!(asked(none).await, [(workspace(1), Offset(0)), (workspace(2), Offset(0))], "of events only");
    assert_eq!(asked(first).await, [], "nothing came since");
    let lease = lease(&catalog, "derive/1").await;
    let mut derived = replacement(&lease, &[], Vec::new());
    derived.derived = vec![(workspace(1), Offset(5)), (workspace(2), Offset(9))];
    let second = catalog.replace(derived).await.expect("replaced").number;
    assert_eq!(asked(none).await, [(workspace(2), Offset(9))], "offset 9 is not derived");
    let more = vec![of(4, 1, 10, 11), of(5, 1, 12, 14)];
    catalog.commit_land(land(generation, 10, 15, more)).await.expect("committed");
    assert_eq!(asked(second).await, [(workspace(1), Offset(5))]);
    catalog.replace(replacement(&lease, &[of(4, 1, 10, 11), of(5, 1, 12, 14)], Vec::new())).await.expect("replaced");
    assert_eq!(asked(none).await, [(workspace(2), Offset(9))], "live files only");
    assert_eq!(catalog.underived(Slot(0), none).await.expect("asked"), []);
}

/// More than one file of a day, or amendments.
pub async fn crowded_days_are_found(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let of = |n: u64, owner: u64, day: i32, amendments: u64| DataFile {
        workspace: workspace(owner),
        day: PartitionDay(day),
        amendments,
        ..file(n)
    };
    let all = vec![of(1, 1, 5, 0), of(2, 1, 5, 3), of(3, 1, 6, 0), of(4, 2, 5, 0), of(5, 2, 6, 1), of(6, 3, 5, 0)];
    let other = DataFile { table: Table::DeadLetters, ..of(7, 3, 5, 0) };
    catalog.commit_land(land(generation, 0, 10, [all.clone(), vec![other]].concat())).await.expect("committed");
    let crowd = |owner: u64, day: i32, files: u64, amending: u64| {
        let DataFile { table, class, .. } = file(1);
        Crowd { workspace: workspace(owner), table, day: PartitionDay(day), class, files, amending }
    };
    let found = catalog.crowded(SLOT).await.expect("asked");
    assert_eq!(found, [crowd(1, 5, 2, 1), crowd(2, 6, 1, 1)], "tables are apart");
    let lease = lease(&catalog, "compact/1").await;
    catalog.replace(replacement(&lease, &all[1..2], Vec::new())).await.expect("replaced");
    assert_eq!(catalog.crowded(SLOT).await.expect("asked"), [crowd(2, 6, 1, 1)], "live files only");
    assert_eq!(catalog.crowded(Slot(0)).await.expect("asked"), []);
}

/// The oldest day of each workspace and class.
pub async fn oldest_days_are_found(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let of = |n: u64, owner: u64, day: i32, class: u16| DataFile {
        workspace: workspace(owner),
        day: PartitionDay(day),
        class: RetentionClass(class),
        ..file(n)
    };
    let all = vec![of(1, 1, 7, 356), of(2, 1, 5, 356), of(3, 1, 6, 30), of(4, 2, -3, 356)];
    catalog.commit_land(land(generation, 0, 10, all.clone())).await.expect("committed");
    let day = |owner: u64, class: u16, day: i32| (workspace(owner), RetentionClass(class), PartitionDay(day));
    let asked = async || catalog.oldest(SLOT).await.expect("asked");
    assert_eq!(asked().await, [day(1, 30, 6), day(1, 356, 5), day(2, 356, -3)]);
    let lease = lease(&catalog, "expire/1").await;
    catalog.replace(replacement(&lease, &[all[1].clone(), all[3].clone()], Vec::new())).await.expect("replaced");
    assert_eq!(asked().await, [day(1, 30, 6), day(1, 356, 7)]);
    assert_eq!(catalog.oldest(Slot(0)).await.expect("asked"), []);
}
