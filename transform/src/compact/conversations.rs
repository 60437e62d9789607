//! Clears the files of derived states of superseded ones: only the newest version of a conversation stays.
use super::{Compacted, merge, replace};
use crate::{Shared, TransformError, states};
use arrow::{
    array::{AsArray, BooleanArray},
    compute::filter_record_batch,
    datatypes::Int64Type,
};
use futures::TryStreamExt;
use schemas::{
    columns::ColumnError,
    ids::{ConversationId, WorkspaceId},
    log::Slot,
    partition::{PartitionDay, RetentionClass, Table, day_is_expired},
};
use std::collections::BTreeMap;
use warehouse::catalog::{DataFile, Lease};

pub(super) async fn compact(
    shared: &Shared,
    lease: &Lease,
    workspace: WorkspaceId,
    slot: Slot,
    files: &[DataFile],
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
    for group in groups.values() {
        let settled = group.len() == 1 && group.iter().all(|i| winners[*i] == live[*i].rows);
        if settled {
            continue;
        }
        let mut batches = Vec::new();
        for index in group {
            let mut stream = shared.files.stream(live[*index], None).await?;
            while let Some(batch) = stream.try_next().await? {
                let ids = batch.column_by_name("conversation").and_then(|c| c.as_fixed_size_binary_opt());
                let ids = ids.ok_or(ColumnError("conversation"))?;
                let versions = batch.column_by_name("version").and_then(|c| c.as_primitive_opt::<Int64Type>());
                let versions = versions.ok_or(ColumnError("version"))?;
                let keep: BooleanArray = (0..batch.num_rows())
                    .map(|row| {
                        let id = ConversationId::from_slice(ids.value(row));
                        let held = id.and_then(|id| newest.get(&id));
                        Some(held.is_some_and(|(version, at)| *version == versions.value(row) && at == index))
                    })
                    .collect();
                batches.push(filter_record_batch(&batch, &keep)?);
            }
        }
        let merged = merge::sorted(Table::Conversations, &batches)?;
        let mut add = Vec::new();
        if merged.num_rows() > 0
            && let Some(first) = group.first()
        {
            add.push(shared.files.write(merge::target_of(live[*first]), vec![merged]).await?);
        }
        let remove = group.iter().map(|i| live[*i]).collect();
        let points = ("compact/after-write", "compact/after-commit");
        replace(shared, lease, slot, remove, add, points, done).await?;
    }
    Ok(())
}
