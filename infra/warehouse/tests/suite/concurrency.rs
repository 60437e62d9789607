//! Several processes at once.
use super::{Backend, build::*};
use schemas::{
    ids::EventId,
    log::{Offset, Slot},
    time::Millis,
};
use std::sync::Arc;
use tokio::task::JoinSet;
use warehouse::catalog::{Catalog, CatalogError, ClaimedId, DataFile, Lease, Outcome};

/// However many commit the same offsets at once: one wins, the others are told where the slot continues.
pub async fn one_of_two_committers_wins(backend: &impl Backend) {
    let mine = backend.open().await;
    let other = backend.open().await;
    let generation = bound(&mine).await;
    for round in 0..10u64 {
        let mut tasks = JoinSet::new();
        for (n, catalog) in [&mine, &other, &mine, &other].into_iter().enumerate() {
            let n = u64::try_from(n).unwrap_or(0);
            let mut commit = land(generation, round * 10, round * 10 + 10, vec![file(round * 10 + n)]);
            commit.totals.push((workspace(1), Outcome::Committed, 10));
            let catalog = catalog.clone();
            tasks.spawn(async move { catalog.commit_land(commit).await });
        }
        let results = tasks.join_all().await;
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "{results:?}");
        for refused in results.into_iter().filter(Result::is_err) {
            assert_eq!(misplaced_at(refused), round * 10 + 10);
        }
    }
    assert_eq!(mine.live_files(SLOT).await.expect("live").len(), 10);
    assert_eq!(mine.snapshot(SLOT).await.expect("newest").next, Offset(100));
    assert_eq!(mine.totals().await.expect("totals"), [(workspace(1), Outcome::Committed, 100)]);
    // And with two generations: the stale one never wins, whoever comes first.
    let newer = other.take_slot(SLOT, "other").await.expect("taken");
    let (stale, fresh) = tokio::join!(
        mine.commit_land(land(generation, 100, 101, vec![file(1_000)])),
        other.commit_land(land(newer, 100, 102, vec![file(1_001)]))
    );
    assert!(matches!(stale, Err(CatalogError::Fenced(_))), "{stale:?}");
    assert_eq!(fresh.expect("committed").next, Offset(102));
}

/// A lease has one holder.
pub async fn one_of_many_takers_gets_the_lease(backend: &impl Backend) {
    let catalogs: [Arc<dyn Catalog>; 2] = [backend.open().await, backend.open().await];
    for round in 0..10i64 {
        let mut tasks = JoinSet::new();
        for holder in 0..6usize {
            let catalog = catalogs[holder % 2].clone();
            tasks.spawn(async move {
                let (now, until) = (Millis(round * 100), Millis(round * 100 + 100));
                catalog.take_lease("expire", &format!("{round}-{holder}"), now, until).await.expect("asked")
            });
        }
        let taken: Vec<Lease> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(taken.len(), 1);
        assert_eq!(i64::try_from(taken[0].number).unwrap_or(0), round + 1);
    }
}

/// Reads go on while commits do, and see each commit whole or not at all.
pub async fn readers_do_not_wait_for_writers(backend: &impl Backend) {
    let writer = backend.open().await;
    let reader = backend.open().await;
    let generation = bound(&writer).await;
    let commits = tokio::spawn(async move {
        for round in 0..20u64 {
            let files: Vec<DataFile> = (0..100).map(|n| file(round * 100 + n)).collect();
            let mut commit = land(generation, round * 10, round * 10 + 10, files);
            commit.totals.push((workspace(1), Outcome::Committed, 10));
            writer.commit_land(commit).await.expect("committed");
        }
    });
    let mut reads = 0;
    loop {
        let done = commits.is_finished();
        let pinned = reader.snapshot(SLOT).await.expect("newest");
        let files = reader.files(workspace(1), pinned).await.expect("files");
        let commits_seen = usize::try_from(pinned.number.0).unwrap_or(0);
        assert_eq!(files.len(), commits_seen * 100);
        assert_eq!(pinned.next, Offset(pinned.number.0 * 10));
        let total: u64 = reader.totals().await.expect("totals").iter().map(|(_, _, n)| n).sum();
        assert!(total >= pinned.next.0, "totals come with the commit");
        reads += 1;
        if done {
            break;
        }
    }
    commits.await.expect("the commits");
    assert!(reads > 1);
    assert_eq!(reader.snapshot(SLOT).await.expect("newest").next, Offset(200));
}

/// Nothing is only in memory.
pub async fn what_is_committed_is_there_after_reopening(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let snapshot = catalog.commit_land(land(generation, 0, 10, vec![file(1)])).await.expect("committed");
    let held = lease(&catalog, "expire").await;
    drop(catalog);
    let catalog = backend.open().await;
    assert_eq!(catalog.snapshot(SLOT).await.expect("newest"), snapshot);
    assert_eq!(catalog.files(workspace(1), snapshot).await.expect("files"), [file(1)]);
    let until = Millis(NOW.0 + 1);
    assert_eq!(catalog.take_lease("expire", "other", NOW, until).await.expect("asked"), None);
    assert_eq!(catalog.take_lease("expire", "holder", NOW, until).await.expect("asked"), Some(held));
    assert!(catalog.take_slot(SLOT, "other").await.expect("taken").number > generation.number);
    catalog.bind_log(EPOCH, SLOTS).await.expect("the same log");
    catalog.ping().await.expect("it answers");
}

/// Commits of different slots that touch the same rows of totals and claimed ids, in different orders: all succeed, and
/// nothing is lost.
pub async fn slots_are_written_side_by_side(backend: &impl Backend) {
    let catalogs = [backend.open().await, backend.open().await];
    bound(&catalogs[0]).await;
    let mut tasks = JoinSet::new();
    for slot in 0..SLOTS {
        let catalog = catalogs[slot as usize % 2].clone();
        tasks.spawn(async move {
            let generation = catalog.take_slot(Slot(slot), "worker").await.expect("taken");
            for round in 0..20u64 {
                let own = round * 3 + u64::from(slot);
                let file = DataFile { slot: Slot(slot), ..file(own) };
                let mut commit = land(generation, round * 10, round * 10 + 10, vec![file]);
                let mut shared: Vec<u64> = (1..=5).collect();
                if slot % 2 == 1 {
                    shared.reverse();
                }
                commit.totals = shared.iter().map(|n| (workspace(*n), Outcome::Committed, 2)).collect();
                commit.claimed = shared.iter().map(|n| claimed(*n, round)).collect();
                catalog.commit_land(commit).await.expect("no deadlock");
            }
        });
    }
    tasks.join_all().await;
    let total = 2 * 20 * u64::from(SLOTS);
    let want: Vec<_> = (1..=5).map(|n| (workspace(n), Outcome::Committed, total)).collect();
    let mut totals = catalogs[1].totals().await.expect("totals");
    totals.sort_unstable();
    assert_eq!(totals, want);
    for snapshot in catalogs[0].snapshots().await.expect("newest") {
        assert_eq!(snapshot.next, Offset(200));
        assert_eq!(catalogs[0].live_files(snapshot.slot).await.expect("live").len(), 20);
    }
}

fn claimed(n: u64, round: u64) -> ClaimedId {
    let at = Millis(NOW.0 + i64::try_from(round).unwrap_or(0));
    ClaimedId { workspace: workspace(n), event: EventId([u8::try_from(n).unwrap_or(0); 16]), at, offset: Offset(0) }
}

/// The tables are made once, whoever comes first.
pub async fn many_open_a_new_database_at_once(backend: &impl Backend) {
    let opened = (0..6).map(|_| async {
        let catalog = backend.open().await;
        catalog.bind_log(EPOCH, SLOTS).await.expect("bound");
        catalog.snapshots().await.expect("newest").len()
    });
    assert_eq!(futures::future::join_all(opened).await, [3; 6]);
}
