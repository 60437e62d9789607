//! What a slot's owner remembers of its files, so that in-order traffic asks neither files nor catalog: between which
//! times each workspace has rows, and which workspaces have claimed ids. Only the owner adds rows to a slot, so what
//! it remembers is never too little; after merging and expiry it may be too much, which only asks in vain.
use crate::{Shared, TransformError};
use schemas::{
    ids::WorkspaceId,
    log::Slot,
    partition::{PartitionDay, Table},
    time::Millis,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use warehouse::{catalog::DataFile, duplicates::Candidate};

type Times = BTreeMap<(Table, PartitionDay), (Millis, Millis)>;

#[derive(Default)]
pub(super) struct Known {
    times: HashMap<WorkspaceId, Times>,
    claimed: HashSet<WorkspaceId>,
}

impl Known {
    /// What the catalog holds of a slot; read after the slot was taken, so that nobody else adds to it any more.
    pub async fn load(shared: &Shared, slot: Slot) -> Result<Self, TransformError> {
        let claimed = shared.catalog.claimed_workspaces().await?.into_iter().collect();
        let mut known = Self { times: HashMap::new(), claimed };
        known.add(&shared.catalog.live_files(slot).await?);
        Ok(known)
    }

    /// Remembers files that were committed.
    pub fn add(&mut self, files: &[DataFile]) {
        for file in files.iter().filter(|f| f.table != Table::Conversations) {
            let times = self.times.entry(file.workspace).or_default();
            let range = times.entry((file.table, file.day)).or_insert((file.min_at, file.max_at));
            *range = (range.0.min(file.min_at), range.1.max(file.max_at));
        }
    }

    /// Remembers that a workspace has claimed ids.
    pub fn claim(&mut self, workspace: WorkspaceId) {
        self.claimed.insert(workspace);
    }

    /// True when the workspace has claimed ids.
    pub fn has_claimed(&self, workspace: WorkspaceId) -> bool {
        self.claimed.contains(&workspace)
    }

    /// The candidates that some file could hold a copy of.
    pub fn concerned(&self, workspace: WorkspaceId, candidates: &[Candidate]) -> Vec<Candidate> {
        let Some(times) = self.times.get(&workspace) else { return Vec::new() };
        candidates
            .iter()
            .filter(|c| {
                // A day's rows lie within it, but for minutes at its end and the check's own second at its start.
                let day = PartitionDay::containing(c.at).0;
                let days = if c.any_time { i32::MIN..=i32::MAX } else { day.saturating_sub(1)..=day.saturating_add(1) };
                let days = (c.table, PartitionDay(*days.start()))..=(c.table, PartitionDay(*days.end()));
                times.range(days).any(|(_, (min, max))| c.concerns_times(*min, *max))
            })
            .copied()
            .collect()
    }
}
