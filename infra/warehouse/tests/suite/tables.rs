//! Totals and claimed ids.
use super::{Backend, build::*};
use schemas::{ids::EventId, kind::IgnoredReason, log::Offset, time::Millis};
use warehouse::catalog::{CatalogError, Outcome};

/// Counts of commits add up by workspace and outcome; refused commits count nothing.
pub async fn totals_add_up(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let mut first = land(generation, 0, 10, Vec::new());
    first.totals = vec![
        (workspace(2), Outcome::Committed, 3),
        (workspace(1), Outcome::Committed, 1),
        (workspace(1), Outcome::Ignored(IgnoredReason::TooOld), 2),
        (workspace(1), Outcome::Ignored(IgnoredReason::TestPost), 1),
        (workspace(1), Outcome::Committed, 3),
        (workspace(1), Outcome::DeadLettered, 0),
    ];
    catalog.commit_land(first.clone()).await.expect("committed");
    assert!(catalog.commit_land(first).await.is_err());
    let mut second = land(generation, 10, 20, Vec::new());
    second.totals = IgnoredReason::ALL.iter().map(|reason| (workspace(2), Outcome::Ignored(*reason), 1)).collect();
    second.totals.push((workspace(1), Outcome::Duplicate, 4));
    second.totals.push((workspace(1), Outcome::Committed, 1));
    catalog.commit_land(second).await.expect("committed");
    let totals = catalog.totals().await.expect("totals");
    let mut want = vec![
        (workspace(1), Outcome::Committed, 5),
        (workspace(1), Outcome::Duplicate, 4),
        (workspace(1), Outcome::Ignored(IgnoredReason::TooOld), 2),
        (workspace(1), Outcome::Ignored(IgnoredReason::TestPost), 1),
        (workspace(2), Outcome::Committed, 3),
    ];
    want.extend(IgnoredReason::ALL.iter().map(|reason| (workspace(2), Outcome::Ignored(*reason), 1)));
    assert_eq!(totals, want);
    let ends: u64 = totals.iter().map(|(_, _, n)| n).sum();
    assert_eq!(ends, 20);
}

/// Known to their own workspace, until their event time is past.
pub async fn claimed_ids_are_known_until_forgotten(backend: &impl Backend) {
    let catalog = backend.open().await;
    let generation = bound(&catalog).await;
    let mut commit = land(generation, 0, 10, Vec::new());
    commit.claimed = (0..300).map(|n| claim(workspace(1), event(n), i64::try_from(n).unwrap_or(0))).collect();
    commit.claimed.push(claim(workspace(1), event(5), 1_000));
    commit.claimed.push(claim(workspace(2), event(1_000), 0));
    catalog.commit_land(commit).await.expect("committed");
    let mut again = land(generation, 10, 20, Vec::new());
    again.claimed = vec![claim(workspace(1), event(6), 1_000), claim(workspace(1), event(7), -1)];
    catalog.commit_land(again).await.expect("committed");

    let known = async |ids: &[EventId]| catalog.claimed(workspace(1), ids, Offset(1)).await.expect("asked");
    assert_eq!(known(&[]).await, []);
    assert_eq!(known(&[event(1_000), event(400)]).await, [], "another workspace's, and nobody's");
    assert_eq!(known(&[event(4), event(400), event(3), event(4)]).await, [event(3), event(4)]);
    let all: Vec<EventId> = (0..400).map(event).collect();
    assert_eq!(known(&all).await.len(), 300);

    catalog.forget_claimed(workspace(1), Millis(299)).await.expect("forgotten");
    assert_eq!(known(&all).await, [event(5), event(6), event(299)], "the later of two times counts");
    let other = catalog.claimed(workspace(2), &[event(1_000)], Offset(1)).await.expect("asked");
    assert_eq!(other, [event(1_000)]);
    let refused = catalog.forget_claimed(workspace(3), Millis(0)).await;
    assert!(!matches!(refused, Err(CatalogError::Damaged(_))), "nothing to forget is fine: {refused:?}");
}
