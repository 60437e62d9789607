//! The store against the catalog, both ways: objects that no row names are removed once they are old enough, rows
//! whose object is missing are reported. And objects of replaced files go after the reader grace.
use crate::{Shared, TransformError, lease};
use futures::TryStreamExt;
use schemas::{
    ids::{DataFileId, LogEpoch},
    log::Slot,
    partition::READER_GRACE,
    time::Millis,
};
use std::{collections::HashSet, pin::pin};
use warehouse::{
    catalog::DataFile,
    file::{FileError, StoredObject},
};

/// What a run found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Scrubbed {
    /// Objects in the store.
    pub objects: usize,
    /// Objects removed that no row named.
    pub orphans: usize,
    /// Objects that no row names and that are too young to be removed: a commit may be under way.
    pub young: usize,
    /// Live files whose object is missing. Must be empty.
    pub missing: Vec<DataFileId>,
    /// Live files whose object is not what was written. Must be empty.
    pub damaged: Vec<DataFileId>,
}

/// What a store says about whose it is: the log that its catalog is bound to.
pub fn owner_of(epoch: LogEpoch) -> String {
    format!("chatmai {epoch}")
}

const DAY_MILLIS: i64 = 86_400_000;

/// Files of one look.
const BUNDLE: usize = 1000;

/// Removes the objects of files that were replaced longer ago than the reader grace.
pub(crate) async fn purge(shared: &Shared) -> Result<usize, TransformError> {
    let before = shared.clock.now() - READER_GRACE;
    let mut count = 0;
    loop {
        let files = shared.catalog.removed_before(before, BUNDLE).await?;
        if files.is_empty() {
            return Ok(count);
        }
        shared.files.remove(&files).await?;
        shared.faults.at("purge/after-objects");
        let ids: Vec<DataFileId> = files.iter().map(|f| f.id).collect();
        shared.catalog.forget_files(&ids).await?;
        count += ids.len();
    }
}

/// Compares store and catalog.
pub(crate) async fn scrub(shared: &Shared) -> Result<Scrubbed, TransformError> {
    let Some(lease) = lease::take(shared, "scrub").await? else { return Ok(Scrubbed::default()) };
    lease::keeping(shared, &lease, scrub_all(shared)).await
}

async fn scrub_all(shared: &Shared) -> Result<Scrubbed, TransformError> {
    let now = shared.clock.now();
    // Nothing is garbage in a store that is not ours.
    shared.files.claim(&owner_of(shared.log.epoch())).await?;
    let mut found = Scrubbed::default();
    let absent = sweep(shared, now, &mut found).await?;
    for slot in 0..shared.log.slots() {
        for file in shared.catalog.live_files(Slot(slot)).await? {
            if absent.contains(&file.id) && !shared.files.exists(&file).await? && is_live(shared, &file).await? {
                tracing::error!(file = %file.id, "a live data file is missing from the store");
                found.missing.push(file.id);
                continue;
            }
            if !is_due(&file, now, shared.jobs.verify_days) {
                continue;
            }
            match shared.files.verify(&file).await {
                Ok(()) => {}
                // Replaced or expired since the look.
                Err(FileError::Gone(_)) => {}
                Err(FileError::Integrity { file, why }) => {
                    tracing::error!(%file, why, "a data file is damaged");
                    found.damaged.push(file);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    shared.metrics.orphans.inc_by(found.orphans as u64);
    shared.metrics.damaged.set(i64::try_from(found.damaged.len()).unwrap_or(i64::MAX));
    shared.metrics.missing.set(i64::try_from(found.missing.len()).unwrap_or(i64::MAX));
    Ok(found)
}

/// Goes through the store as it is listed, and removes what no row names. Returns the live files that it did not see.
async fn sweep(shared: &Shared, now: Millis, found: &mut Scrubbed) -> Result<HashSet<DataFileId>, TransformError> {
    // Rows first: whatever they name and the store does not, or the other way, is looked at again before it counts.
    let rows = shared.catalog.known_files().await?;
    let mut absent: HashSet<DataFileId> = rows.iter().filter(|(_, _, live)| *live).map(|(_, id, _)| *id).collect();
    let known: HashSet<DataFileId> = rows.into_iter().map(|(_, id, _)| id).collect();
    let mut objects = pin!(shared.files.objects());
    let mut old: Vec<StoredObject> = Vec::new();
    while let Some(object) = objects.try_next().await? {
        found.objects += 1;
        let id = object.path.map(|p| p.file);
        if let Some(id) = id.filter(|id| known.contains(id)) {
            absent.remove(&id);
        } else if object.modified_at + shared.jobs.orphan_age <= now {
            old.push(object);
            if old.len() == BUNDLE {
                remove_orphans(shared, std::mem::take(&mut old), found).await?;
            }
        } else {
            found.young += 1;
        }
    }
    remove_orphans(shared, old, found).await?;
    Ok(absent)
}

async fn remove_orphans(
    shared: &Shared,
    mut objects: Vec<StoredObject>,
    found: &mut Scrubbed,
) -> Result<(), TransformError> {
    if objects.is_empty() {
        return Ok(());
    }
    // A commit that took longer than any should: its files have rows by now.
    let known: HashSet<DataFileId> = shared.catalog.known_files().await?.into_iter().map(|(_, id, _)| id).collect();
    objects.retain(|object| object.path.is_none_or(|path| !known.contains(&path.file)));
    let count = objects.len();
    shared.files.remove_objects(objects).await?;
    shared.faults.at("scrub/after-orphan");
    found.orphans += count;
    Ok(())
}

/// Whether a file is one of those that are read whole today: each is on one of so many days.
fn is_due(file: &DataFile, now: Millis, days: u16) -> bool {
    let days = i64::from(days.max(1));
    let share = i64::from(u16::from_be_bytes([file.id.0[0], file.id.0[1]]));
    share.rem_euclid(days) == now.0.div_euclid(DAY_MILLIS).rem_euclid(days)
}

/// Whether the newest snapshot still has the file.
async fn is_live(shared: &Shared, file: &DataFile) -> Result<bool, TransformError> {
    Ok(shared.catalog.live_files(file.slot).await?.iter().any(|live| live.id == file.id))
}
