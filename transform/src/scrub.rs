//! The store against the catalog, both ways: objects that no row names are removed once they are old enough, rows
//! whose object is missing are reported. And objects of replaced files go after the reader grace.
use crate::{Shared, TransformError, derive::LEASE};
use schemas::{ids::DataFileId, log::Slot, partition::READER_GRACE};
use std::collections::{HashMap, HashSet};
use warehouse::file::FileError;

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
    let now = shared.clock.now();
    if shared.catalog.take_lease("scrub", &shared.holder, now, now + LEASE).await?.is_none() {
        return Ok(Scrubbed::default());
    }
    // Objects first, rows second: what is committed in between has a row, and what is removed in between is checked
    // against its row again below.
    let objects = shared.files.list().await?;
    let known: HashMap<DataFileId, bool> =
        shared.catalog.known_files().await?.into_iter().map(|(_, id, live)| (id, live)).collect();
    let mut found = Scrubbed { objects: objects.len(), ..Scrubbed::default() };
    let mut present: HashSet<DataFileId> = HashSet::new();
    for object in objects {
        let id = object.path.map(|p| p.file);
        if let Some(id) = id.filter(|id| known.contains_key(id)) {
            present.insert(id);
        } else if object.modified_at + shared.jobs.orphan_age <= now {
            shared.files.remove_object(&object).await?;
            shared.faults.at("scrub/after-orphan");
            found.orphans += 1;
        } else {
            found.young += 1;
        }
    }
    let absent: Vec<DataFileId> =
        known.iter().filter(|(id, live)| **live && !present.contains(id)).map(|(id, _)| *id).collect();
    if !absent.is_empty() {
        // A file that came after the listing, or went since, is no finding.
        let still: HashSet<DataFileId> =
            shared.catalog.known_files().await?.into_iter().filter(|(_, _, live)| *live).map(|(_, id, _)| id).collect();
        let listed: HashSet<DataFileId> =
            shared.files.list().await?.into_iter().filter_map(|o| o.path.map(|p| p.file)).collect();
        found.missing = absent.into_iter().filter(|id| still.contains(id) && !listed.contains(id)).collect();
    }
    for id in &found.missing {
        tracing::error!(file = %id, "a live data file is missing from the store");
    }
    for slot in 0..shared.log.slots() {
        for file in shared.catalog.live_files(Slot(slot)).await? {
            match shared.files.verify(&file).await {
                Ok(()) => {}
                // Replaced or expired since the look, or reported as missing above.
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
