//! What is kept in memory of a file's ids, and how room is made for it.
use super::search::Front;
use arrow::{array::AsArray, record_batch::RecordBatch};
use moka::policy::EvictionPolicy;
use schemas::ids::{DataFileId, EventId};
use std::sync::Arc;

/// The fronts of one file's ids, sorted.
pub(super) type FileFronts = Arc<Vec<Front>>;

/// What has to be known of a file so that it is not read for ids which it does not hold.
#[derive(Clone, Debug)]
pub struct Fronts(pub(super) FileFronts);

impl Fronts {
    /// Of all ids of a file, in any order. Ids beyond its own do no harm: they make it be read in vain.
    pub fn of(ids: impl Iterator<Item = EventId>) -> Self {
        Self::sorted(ids.map(Front::of).collect())
    }

    /// Of the rows of a file of events or dead letters; `None` where their ids are missing.
    pub fn of_rows(rows: &RecordBatch) -> Option<Self> {
        let mut fronts = Vec::with_capacity(rows.num_rows());
        push_fronts(rows, &mut fronts)?;
        Some(Self::sorted(fronts))
    }

    /// Of those of all its ids.
    pub(super) fn sorted(mut fronts: Vec<Front>) -> Self {
        fronts.sort_unstable();
        Self(Arc::new(fronts))
    }
}

/// Adds those of some rows of a file; `None` where their ids are missing.
pub(super) fn push_fronts(rows: &RecordBatch, fronts: &mut Vec<Front>) -> Option<()> {
    let ids = rows.column_by_name("event_id")?.as_fixed_size_binary_opt()?;
    for row in 0..rows.num_rows() {
        fronts.push(Front::of(EventId::from_slice(ids.value(row))?));
    }
    Some(())
}

/// About what a cache takes for an entry beside its values; many files are of few rows.
const ENTRY_BYTES: usize = 300;

/// Keeps what is known of files, of so many bytes.
pub(super) fn cache<T: Send + Sync + 'static>(
    bytes: u64,
    makes_room: EvictionPolicy,
) -> moka::future::Cache<DataFileId, Arc<Vec<T>>> {
    let weigh =
        |_: &DataFileId, of: &Arc<Vec<T>>| u32::try_from(of.len() * size_of::<T>() + ENTRY_BYTES).unwrap_or(u32::MAX);
    moka::future::Cache::builder().max_capacity(bytes).weigher(weigh).eviction_policy(makes_room).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_told_of_a_new_file_is_kept_when_there_is_no_room_left() {
        let told = cache(10 * ENTRY_BYTES as u64, EvictionPolicy::lru());
        let nothing = Arc::new(Vec::<Front>::new());
        for n in 0..100 {
            let file = DataFileId([n; 16]);
            told.insert(file, nothing.clone()).await;
            // One that is asked for all the time stays.
            assert_eq!(told.get(&DataFileId([0; 16])).await, Some(nothing.clone()), "after {n}");
            told.run_pending_tasks().await;
            assert!(told.contains_key(&file), "{n}");
        }
        assert!(!told.contains_key(&DataFileId([50; 16])), "there is no room for all");
    }
}
