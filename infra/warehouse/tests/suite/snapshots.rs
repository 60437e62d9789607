//! What readers see.
use super::{Backend, build::*};
use schemas::{
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table},
    time::Millis,
};
use warehouse::catalog::{DataFile, SnapshotNumber};

/// A reader that pinned a snapshot sees the same files after commits and replacements.
pub async fn a_pinned_snapshot_never_changes(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let lease = lease(&catalog, "compact/1").await;
    let empty = catalog.snapshot(SLOT).await.expect("newest");
    let first = catalog.commit_land(land(generation, 0, 10, vec![file(1), file(2)])).await.expect("committed");
    let second = catalog.commit_land(land(generation, 10, 20, vec![file(3)])).await.expect("committed");
    let third = catalog.replace(replacement(&lease, &[file(1), file(3)], vec![file(4)])).await.expect("replaced");
    let fourth = catalog.replace(replacement(&lease, &[file(4)], Vec::new())).await.expect("replaced");
    assert_eq!(catalog.snapshot(SLOT).await.expect("newest"), fourth);
    assert_eq!(fourth.number, SnapshotNumber(4));
    for (snapshot, want) in [
        (empty, vec![]),
        (first, vec![file(1), file(2)]),
        (second, vec![file(1), file(2), file(3)]),
        (third, vec![file(2), file(4)]),
        (fourth, vec![file(2)]),
    ] {
        assert_eq!(catalog.files(workspace(1), snapshot).await.expect("files"), want, "{snapshot:?}");
        assert!(catalog.files(workspace(2), snapshot).await.expect("files").is_empty());
    }
}

/// By table, day, offset; only the workspace's own.
pub async fn files_are_listed_in_order(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let today = PartitionDay::containing(NOW);
    let at = |n: u64, table: Table, day: i32, offset: u64| DataFile {
        table,
        day: PartitionDay(today.0 + day),
        min_offset: Offset(offset),
        ..file(n)
    };
    let ordered = vec![
        at(9, Table::Events, -2, 70),
        at(3, Table::Events, 0, 5),
        at(8, Table::Events, 0, 6),
        at(1, Table::DeadLetters, -1, 0),
        at(2, Table::Conversations, 0, 1),
    ];
    let foreign = DataFile { workspace: workspace(2), ..file(20) };
    let mut add: Vec<DataFile> = ordered.iter().rev().cloned().collect();
    add.push(foreign.clone());
    let snapshot = catalog.commit_land(land(generation, 0, 10, add)).await.expect("committed");
    assert_eq!(catalog.files(workspace(1), snapshot).await.expect("files"), ordered);
    assert_eq!(catalog.files(workspace(2), snapshot).await.expect("files"), [foreign]);
    assert_eq!(catalog.live_files(SLOT).await.expect("live").len(), 6);
    assert!(catalog.live_files(Slot(0)).await.expect("live").is_empty());
}

/// Every field, at its limits.
pub async fn files_survive_the_round_trip(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let files: Vec<DataFile> = Table::ALL
        .into_iter()
        .zip(0u64..)
        .map(|(table, n)| DataFile {
            table,
            day: PartitionDay(-719_528 + i32::try_from(n).unwrap_or(0)),
            class: RetentionClass(u16::MAX),
            rows: u64::MAX >> 1,
            bytes: 0,
            sha256: std::array::from_fn(|i| u8::try_from(255 - i).unwrap_or(0)),
            min_at: Millis(i64::MIN),
            max_at: Millis(i64::MAX),
            min_offset: Offset(0),
            max_offset: Offset(u64::MAX >> 1),
            amendments: 1 << 40,
            created_at: Millis(-1),
            ..file(n)
        })
        .collect();
    let snapshot = catalog.commit_land(land(generation, 0, 1, files.clone())).await.expect("committed");
    assert_eq!(catalog.files(workspace(1), snapshot).await.expect("files"), files);
}
