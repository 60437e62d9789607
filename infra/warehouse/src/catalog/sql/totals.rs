//! What became of the events, counted in the commits' own transactions.
use super::{
    bulk::Insert,
    database::{Database, Write},
    rows::{bytes, signed, small},
};
use crate::catalog::{CatalogError, Outcome};
use schemas::ids::WorkspaceId;
use sqlx::{Row, any::AnyRow};
use std::collections::BTreeMap;

const ADD: Insert = Insert {
    head: "INSERT INTO totals (workspace, outcome, reason, n)",
    columns: 4,
    tail: "ON CONFLICT (workspace, outcome, reason) DO UPDATE SET n = totals.n + excluded.n",
};

pub(super) async fn add(
    write: &mut Write,
    parameters: usize,
    totals: &[(WorkspaceId, Outcome, u64)],
) -> Result<(), CatalogError> {
    // Each row once and in order, as with claimed ids.
    let mut sums: BTreeMap<(WorkspaceId, Outcome), u64> = BTreeMap::new();
    for (workspace, outcome, n) in totals {
        let sum = sums.entry((*workspace, *outcome)).or_default();
        *sum = sum.saturating_add(*n);
    }
    let sums: Vec<_> = sums.into_iter().filter(|(_, n)| *n > 0).collect();
    ADD.run(write, parameters, &sums, |query, ((workspace, outcome), n)| {
        let (outcome, reason) = words(*outcome);
        query.bind(workspace.0.to_vec()).bind(outcome).bind(reason).bind(signed(*n))
    })
    .await
}

pub(super) async fn all(database: &Database) -> Result<Vec<(WorkspaceId, Outcome, u64)>, CatalogError> {
    let rows = sqlx::query("SELECT workspace, outcome, reason, n FROM totals").fetch_all(database.read()).await?;
    let mut totals: Vec<_> = rows.iter().map(total).collect::<Result<_, _>>()?;
    totals.sort_unstable();
    Ok(totals)
}

fn total(row: &AnyRow) -> Result<(WorkspaceId, Outcome, u64), CatalogError> {
    let (outcome, reason): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
    let outcome = match (outcome, reason) {
        ("committed", "") => Outcome::Committed,
        ("duplicate", "") => Outcome::Duplicate,
        ("dead_lettered", "") => Outcome::DeadLettered,
        ("lost", "") => Outcome::Lost,
        ("ignored", reason) => {
            Outcome::Ignored(reason.parse().map_err(|_| CatalogError::Damaged("a total of an unknown reason".into()))?)
        }
        _ => return Err(CatalogError::Damaged("a total of an unknown outcome".into())),
    };
    Ok((WorkspaceId(bytes(row, 0)?), outcome, small(row, 3)?))
}

fn words(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Committed => ("committed", ""),
        Outcome::Duplicate => ("duplicate", ""),
        Outcome::DeadLettered => ("dead_lettered", ""),
        Outcome::Ignored(reason) => ("ignored", reason.as_str()),
        Outcome::Lost => ("lost", ""),
    }
}
