//! Clears the files of derived states of superseded ones: only the newest version of a conversation stays.
use super::{Compacted, merge, replace};
use crate::{Shared, TransformError, states};
use arrow::{compute::filter_record_batch, record_batch::RecordBatch};
use futures::TryStreamExt;
use schemas::{
    ids::WorkspaceId,
    log::Slot,
    partition::{PartitionDay, RetentionClass, Table, day_is_expired},
};
use std::collections::BTreeMap;
use warehouse::catalog::{DataFile, Lease};

/// Most states of one file: bounds the memory of a merge.
const FILE_STATES: u64 = 250_000;

/// How many files so many states settle to.
pub(super) fn files_for(states: u64) -> usize {
    usize::try_from(states.div_ceil(FILE_STATES)).unwrap_or(usize::MAX).max(1)
}

/// Batches for one file each.
fn bundles(batches: Vec<RecordBatch>) -> Vec<Vec<RecordBatch>> {
    let mut bundles: Vec<Vec<RecordBatch>> = Vec::new();
    let mut rows = 0;
    // Each is filled, so that there are as many as `files_for` says.
    for mut batch in batches {
        while batch.num_rows() > 0 {
            if rows == FILE_STATES || bundles.is_empty() {
                bundles.push(Vec::new());
                rows = 0;
            }
            let room = usize::try_from(FILE_STATES - rows).unwrap_or(usize::MAX).min(batch.num_rows());
            rows += room as u64;
            let rest = batch.slice(room, batch.num_rows() - room);
            if let Some(bundle) = bundles.last_mut() {
                bundle.push(batch.slice(0, room));
            }
            batch = rest;
        }
    }
    bundles
}

/// Whose files are looked at.
#[derive(Clone, Copy)]
pub(super) enum Days<'a> {
    /// All that hold superseded states or are too many.
    All,
    /// Those of these days.
    These(&'a [PartitionDay]),
}

pub(super) async fn compact(
    shared: &Shared,
    lease: &Lease,
    workspace: WorkspaceId,
    slot: Slot,
    files: &[DataFile],
    wanted: Days<'_>,
    done: &mut Compacted,
) -> Result<(), TransformError> {
    let (now, days) = (shared.clock.now(), shared.retention_days(workspace));
    let live: Vec<&DataFile> = files
        .iter()
        .filter(|f| f.table == Table::Conversations && !day_is_expired(f.day, now, f.class, days))
        .collect();
    let newest = states::newest_versions(shared, &live).await?;
    let mut winners = vec![0u64; live.len()];
    for (_, index) in newest.values() {
        winners[*index] += 1;
    }
    let mut groups: BTreeMap<(PartitionDay, RetentionClass), Vec<usize>> = BTreeMap::new();
    for (index, file) in live.iter().enumerate() {
        groups.entry((file.day, file.class)).or_default().push(index);
    }
    for ((day, _), group) in &groups {
        if matches!(wanted, Days::These(days) if !days.contains(day)) {
            continue;
        }
        let rows = group.iter().map(|i| live[*i].rows).sum();
        let settled = group.len() <= files_for(rows) && group.iter().all(|i| winners[*i] == live[*i].rows);
        if settled {
            continue;
        }
        let mut batches = Vec::new();
        for index in group {
            let mut stream = shared.files.stream(live[*index], None).await?;
            while let Some(batch) = stream.try_next().await? {
                let keep = states::holding(&batch, *index, &newest)?;
                batches.push(filter_record_batch(&batch, &keep)?);
            }
        }
        let mut add = Vec::new();
        if let Some(first) = group.first() {
            let target = merge::target_of(live[*first]);
            for batches in bundles(batches) {
                let merged = merge::sorted(Table::Conversations, &batches)?;
                if merged.num_rows() > 0 {
                    add.push(shared.files.write(target, vec![merged]).await?);
                }
            }
        }
        let remove = group.iter().map(|i| live[*i]).collect();
        let points = ("compact/after-write", "compact/after-commit");
        replace(shared, lease, slot, remove, add, points, done).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::Int64Array,
        datatypes::{DataType, Field, Schema},
    };
    use std::sync::Arc;

    #[test]
    fn states_settle_to_as_few_files_as_they_need() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let batch = |rows: usize| {
            let column = Arc::new(Int64Array::from_iter_values(0..rows as i64));
            RecordBatch::try_new(schema.clone(), vec![column]).expect("a batch")
        };
        for (batches, of) in [(123, 8192), (62, 8192), (4, 250_000), (1, 600_000), (1, 1), (0, 1)] {
            let bundles = bundles(vec![batch(of); batches]);
            let rows: Vec<usize> = bundles.iter().map(|b| b.iter().map(RecordBatch::num_rows).sum()).collect();
            assert_eq!(rows.iter().sum::<usize>(), batches * of);
            assert_eq!(rows.len(), (batches * of).div_ceil(250_000), "{batches} of {of}");
            assert!(rows.iter().all(|rows| *rows as u64 <= FILE_STATES));
        }
    }
}
