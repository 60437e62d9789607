//! The catalog in a few lines of memory: what the real ones are compared with.
use super::build::*;
use schemas::{
    ids::DataFileId,
    log::{Offset, Slot},
};
use std::collections::BTreeMap;

/// How a commit ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// With this snapshot number and next offset.
    Done(u64, u64),
    /// A newer one holds it.
    Fenced,
    /// The slot continues there.
    Misplaced(u64),
    /// That file is not live.
    NotLive(DataFileId),
}

/// A file's life in snapshots.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub slot: u32,
    pub created: u64,
    pub removed: Option<u64>,
}

/// See the module.
#[derive(Default)]
pub struct Model {
    pub next: [u64; SLOTS as usize],
    pub snapshot: [u64; SLOTS as usize],
    pub generation: [u64; SLOTS as usize],
    pub lease: u64,
    pub holder: Option<u8>,
    pub files: BTreeMap<DataFileId, Life>,
    pub committed: u64,
}

impl Model {
    /// A land commit of `length` offsets that begins `shift` after (or before) the slot's end.
    pub fn land(&mut self, slot: u32, generation: u64, from: u64, to: u64, add: &[DataFileId]) -> End {
        let s = slot as usize;
        if generation != self.generation[s] && to >= from {
            return End::Fenced;
        }
        if from != self.next[s] || to < from {
            return End::Misplaced(self.next[s]);
        }
        self.next[s] = to;
        self.snapshot[s] += 1;
        self.committed += to - from;
        self.add(slot, add);
        End::Done(self.snapshot[s], to)
    }

    /// A replacement.
    pub fn replace(&mut self, slot: u32, lease: u64, remove: &[DataFileId], add: &[DataFileId]) -> End {
        let s = slot as usize;
        // Before the first lease there is none to hold.
        if lease != self.lease || lease == 0 {
            return End::Fenced;
        }
        let live = |id: &DataFileId| self.files.get(id).is_some_and(|f| f.slot == slot && f.removed.is_none());
        let mut ids = remove.to_vec();
        ids.sort_unstable();
        if let Some(gone) = ids.iter().find(|id| !live(id)) {
            return End::NotLive(*gone);
        }
        self.snapshot[s] += 1;
        for id in remove {
            if let Some(file) = self.files.get_mut(id) {
                file.removed = Some(self.snapshot[s]);
            }
        }
        self.add(slot, add);
        End::Done(self.snapshot[s], self.next[s])
    }

    fn add(&mut self, slot: u32, add: &[DataFileId]) {
        let created = self.snapshot[slot as usize];
        self.files.extend(add.iter().map(|id| (*id, Life { slot, created, removed: None })));
    }

    /// The files of a snapshot.
    pub fn visible(&self, slot: Slot, snapshot: u64) -> Vec<DataFileId> {
        let sees = |f: &Life| f.slot == slot.0 && f.created <= snapshot && f.removed.is_none_or(|at| snapshot < at);
        self.files.iter().filter(|(_, f)| sees(f)).map(|(id, _)| *id).collect()
    }

    /// Where a slot continues.
    pub fn next(&self, slot: Slot) -> Offset {
        Offset(self.next[slot.0 as usize])
    }
}
