//! Days that are wholly past their retention: first their key, so that copies of the files are dark too, then the
//! catalog's rows, then the objects. Answers were cut at the instant long before. Every step can be done again.
use crate::{Faults, Shared, TransformError, derive::write_states, lease, states};
use arrow::compute::filter_record_batch;
use futures::TryStreamExt;
use schemas::{
    columns::read_conversations,
    conversation::ConversationState,
    ids::WorkspaceId,
    log::Slot,
    partition::{PartitionDay, RetentionClass, Table, cut, day_is_expired},
};
use std::collections::{BTreeMap, BTreeSet};
use warehouse::catalog::{DataFile, Lease, Replacement};

/// What a run did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// Day keys destroyed.
    pub keys: usize,
    /// Files gone.
    pub files: usize,
    /// States moved to a younger day without what expired.
    pub moved: usize,
}

/// Lets go of every expired day of a slot.
pub(crate) async fn expire(shared: &Shared, slot: Slot) -> Result<Expired, TransformError> {
    let Some(lease) = lease::take(shared, &format!("expire/{slot}")).await? else { return Ok(Expired::default()) };
    lease::keeping(shared, &lease, expire_slot(shared, &lease, slot)).await
}

async fn expire_slot(shared: &Shared, lease: &Lease, slot: Slot) -> Result<Expired, TransformError> {
    let now = shared.clock.now();
    let mut done = Expired::default();
    let mut faults = Faults::default();
    let is_past = |(workspace, class, day): &(WorkspaceId, RetentionClass, PartitionDay)| {
        day_is_expired(*day, now, *class, shared.retention_days(*workspace))
    };
    let mut work: Vec<WorkspaceId> =
        shared.catalog.oldest(slot).await?.into_iter().filter(is_past).map(|(workspace, _, _)| workspace).collect();
    work.dedup();
    for workspace in work {
        let files = shared.catalog.files(workspace, shared.catalog.snapshot(slot).await?).await?;
        let days = shared.retention_days(workspace);
        let (gone, kept): (Vec<DataFile>, Vec<DataFile>) =
            files.into_iter().partition(|f| day_is_expired(f.day, now, f.class, days));
        if gone.is_empty() {
            continue;
        }
        if let Err(error) = expire_workspace(shared, lease, workspace, slot, gone, kept, &mut done).await {
            faults.take("expire", workspace, error)?;
        }
    }
    faults.end()?;
    Ok(done)
}

async fn expire_workspace(
    shared: &Shared,
    lease: &Lease,
    workspace: WorkspaceId,
    slot: Slot,
    gone: Vec<DataFile>,
    kept: Vec<DataFile>,
    done: &mut Expired,
) -> Result<(), TransformError> {
    let days = shared.retention_days(workspace);
    let cut = cut(shared.clock.now(), RetentionClass::STANDARD, days);
    match rehome(shared, lease, workspace, slot, &gone, &kept, days).await {
        Ok(moved) => done.moved += moved,
        // A state that cannot be read cannot be moved. To lose it is better than to keep what is past its retention.
        Err(error @ (TransformError::Integrity(_) | TransformError::Superseded(_))) => {
            tracing::error!(%workspace, %error, "states of an expired day are lost");
        }
        Err(error) => return Err(error),
    }
    shared.faults.at("expire/after-rehome");

    let keys: BTreeSet<(PartitionDay, RetentionClass)> = gone.iter().map(|f| (f.day, f.class)).collect();
    let keys: Vec<_> = keys.into_iter().map(|(day, class)| (workspace, day, class)).collect();
    shared.keyring.destroy_day_keys(&keys).await?;
    let ids: Vec<_> = gone.iter().map(|f| f.id).collect();
    shared.files.forget(&ids).await;
    shared.faults.at("expire/after-keys");

    let replacement = Replacement {
        lease: lease.clone(),
        slot,
        remove: ids.clone(),
        add: Vec::new(),
        derived: Vec::new(),
        at: shared.clock.now(),
    };
    shared.catalog.replace(replacement).await?;
    shared.catalog.forget_claimed(workspace, cut).await?;
    shared.faults.at("expire/after-rows");
    (shared.committed)(slot);

    // The reader grace is past already: it is part of when a day counts as expired.
    shared.files.remove(&gone).await?;
    shared.catalog.forget_files(&ids).await?;
    shared.faults.at("expire/after-objects");
    done.keys += keys.len();
    done.files += gone.len();
    Ok(())
}

/// States that outlive an expired day: those whose row lies in it though the conversation has younger events, and
/// those in younger files that still carry a name from before the cut. They are written anew without what expired.
async fn rehome(
    shared: &Shared,
    lease: &Lease,
    workspace: WorkspaceId,
    slot: Slot,
    gone: &[DataFile],
    kept: &[DataFile],
    days: u16,
) -> Result<usize, TransformError> {
    let now = shared.clock.now();
    let cut = cut(now, RetentionClass::STANDARD, days);
    if gone.iter().all(|f| f.table == Table::DeadLetters) {
        return Ok(0);
    }
    let mut all: Vec<&DataFile> = kept.iter().filter(|f| f.table == Table::Conversations).collect();
    for file in gone.iter().filter(|f| f.table == Table::Conversations) {
        // After a kill behind the keys' end its rows were moved already.
        match shared.keyring.day_key(workspace, file.day, file.class).await {
            Ok(_) => all.push(file),
            Err(error) if error.class() == keys::KeyErrorClass::Destroyed => {}
            Err(error) => return Err(error.into()),
        }
    }
    let newest = states::newest_versions(shared, &all).await?;
    let mut homes: BTreeMap<PartitionDay, Vec<ConversationState>> = BTreeMap::new();
    for (index, file) in all.iter().enumerate() {
        let in_expired = day_is_expired(file.day, now, file.class, days);
        let mut stream = shared.files.stream(file, Some(&["conversation", "version", "state"])).await?;
        while let Some(batch) = stream.try_next().await? {
            let held = filter_record_batch(&batch, &states::holding(&batch, index, &newest)?)?;
            for mut state in read_conversations(&held)? {
                let old_name = state.name.as_ref().is_some_and(|(key, _)| key.at < cut);
                if !in_expired && !old_name {
                    continue;
                }
                let home = if state.expire(cut) { state.home_day() } else { None };
                let alive = |day: &PartitionDay| !day_is_expired(*day, now, RetentionClass::STANDARD, days);
                if let Some(home) = home.filter(alive) {
                    homes.entry(home).or_default().push(state);
                }
            }
        }
    }
    let moved = homes.values().map(Vec::len).sum();
    if moved == 0 {
        return Ok(0);
    }
    let add = write_states(shared, workspace, slot, homes).await?;
    shared.files.make_durable(&add).await?;
    let replacement = Replacement {
        lease: lease.clone(),
        slot,
        remove: Vec::new(),
        add,
        derived: Vec::new(),
        at: shared.clock.now(),
    };
    shared.catalog.replace(replacement).await?;
    Ok(moved)
}
