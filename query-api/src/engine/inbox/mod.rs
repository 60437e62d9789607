//! The inbox of one workspace: a sorted base and what moved since.
pub(super) mod base;
pub(super) mod codec;
mod counts;
pub(super) mod hot;
mod page;
mod rows;
mod tally;
#[cfg(test)]
mod tests;

pub(super) use counts::counts;
pub(super) use page::page;

use super::{types::InboxPlace, weight};
use base::{Base, BaseRow, Part};
use hot::{Hot, Names, Wanted};
use parking_lot::Mutex;
use schemas::{columns::ColumnError, conversation::ConversationState, ids::ConversationId, time::Millis};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tally::Tally;

/// Bytes of conversations that may have moved before the base is built anew: of some hundred of them.
const OVERLAY_MIN: usize = 512 << 10;
/// … or this part of the base, so that building it anew costs each move the same. A row that moved takes some four times what
/// one of the base takes, by an estimate.
const OVERLAY_PART: usize = 4;
/// About what the overlay's maps take for a row.
const ENTRY_BYTES: usize = 128;

/// A conversation that moved.
#[derive(Debug)]
pub(super) struct Row {
    /// For filters and counts.
    pub hot: Hot,
    /// All of it.
    pub state: ConversationState,
    bytes: usize,
}

/// See the module's documentation.
#[derive(Default, Debug)]
pub(super) struct Inbox {
    base: Arc<Base>,
    /// A bit for each row of the base whose conversation is in the overlay.
    moved: Vec<u64>,
    overlay: BTreeMap<Reverse<InboxPlace>, Arc<Row>>,
    by_id: HashMap<ConversationId, Arc<Row>>,
    /// What the overlay's rows take.
    overlay_bytes: usize,
    names: Names,
    /// Made at the first count, kept from then on.
    tally: Mutex<Option<Tally>>,
}

/// A base to be built beside an inbox that goes on moving.
pub(super) struct Merge {
    base: Arc<Base>,
    moved: Vec<u64>,
    rows: Vec<Arc<Row>>,
}

fn is_set(bits: &[u64], row: usize) -> bool {
    bits.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
}

impl Inbox {
    /// An inbox that stands on a base; `names` are those its columns speak of.
    pub fn new(base: Base, names: Names) -> Self {
        let moved = vec![0; base.len().div_ceil(64)];
        Self { base: Arc::new(base), moved, names, ..Self::default() }
    }

    /// A conversation's state.
    pub fn state(&self, id: ConversationId) -> Result<Option<ConversationState>, ColumnError> {
        if let Some(row) = self.by_id.get(&id) {
            return Ok(Some(row.state.clone()));
        }
        match self.base.find(id) {
            Some(row) => ConversationState::decode(self.base.bytes(row)).map(Some),
            None => Ok(None),
        }
    }

    /// Puts a conversation's new state in the place of its old one.
    pub fn put(&mut self, state: ConversationState) {
        let id = state.conversation;
        let old = match self.by_id.get(&id) {
            Some(old) => {
                self.overlay.remove(&Reverse(old.hot.place));
                self.overlay_bytes -= old.bytes;
                Some(old.hot)
            }
            None => self.base.find(id).map(|row| {
                self.moved[row / 64] |= 1 << (row % 64);
                self.base.hot(row)
            }),
        };
        let bytes = size_of::<Hot>() + weight::of_state(&state) + ENTRY_BYTES;
        let row = Arc::new(Row { hot: Hot::of(&state, &mut self.names), state, bytes });
        self.overlay_bytes += bytes;
        if let Some(tally) = self.tally.get_mut() {
            if let Some(old) = old {
                tally.remove(&old);
            }
            tally.add(&row.hot, || row.hot);
        }
        self.overlay.insert(Reverse(row.hot.place), row.clone());
        self.by_id.insert(id, row);
    }

    /// Puts the conversations of some parts, each in one of them, in the place of their old states.
    pub fn take_in(mut self, parts: Vec<Part>) -> Result<Self, ColumnError> {
        if !self.overlay.is_empty() {
            let merge = self.merge_all();
            let base = merge.build()?;
            drop(self.end_merge(&merge, base));
        }
        let (mut rows, mut chunks) = (Vec::new(), Vec::new());
        for part in parts {
            part.append_to(&mut self.names, &mut rows, &mut chunks);
        }
        let mut moved = vec![0; self.base.len().div_ceil(64)];
        for row in rows.iter().filter_map(|row| self.base.find(row.hot.place.conversation)) {
            moved[row / 64] |= 1 << (row % 64);
        }
        let rows = rows.into_iter().map(|row| (row.hot, row.loc)).collect();
        let base = self.base.join(|row| is_set(&moved, row), rows, chunks);
        Ok(Self::new(base, self.names))
    }

    /// What is to be merged, once enough has moved.
    pub fn begin_merge(&self) -> Option<Merge> {
        let most = OVERLAY_MIN.max(self.base.memory() / OVERLAY_PART);
        (self.overlay_bytes > most).then(|| self.merge_all())
    }

    /// What is to be merged so that nothing is left in the overlay.
    pub fn merge_all(&self) -> Merge {
        let rows = self.overlay.values().cloned().collect();
        Merge { base: self.base.clone(), moved: self.moved.clone(), rows }
    }

    /// Stands on a base that was built from `merge`; what moved meanwhile stays above it. Returns the old one.
    pub fn end_merge(&mut self, merge: &Merge, base: Base) -> Arc<Base> {
        self.moved = vec![0; base.len().div_ceil(64)];
        for row in &merge.rows {
            let id = row.hot.place.conversation;
            if self.by_id.get(&id).is_some_and(|held| Arc::ptr_eq(held, row)) {
                self.by_id.remove(&id);
                self.overlay.remove(&Reverse(row.hot.place));
                self.overlay_bytes -= row.bytes;
            }
        }
        for id in self.by_id.keys() {
            if let Some(row) = base.find(*id) {
                self.moved[row / 64] |= 1 << (row % 64);
            }
        }
        std::mem::replace(&mut self.base, Arc::new(base))
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        self.base.memory() + self.overlay_bytes
    }

    /// The numbers of connections and agents.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Counts with a tally that holds at the filter's instant.
    fn with_tally(&self, wanted: &Wanted<'_>, count: impl FnOnce(&Tally)) {
        let mut held = self.tally.lock();
        let tally = match held.take() {
            Some(tally) if tally.covers(wanted.now, wanted.cut) => held.insert(tally),
            _ => held.insert(self.tally_at(wanted.now, wanted.cut)),
        };
        count(tally);
    }

    fn tally_at(&self, now: Millis, cut: Millis) -> Tally {
        let mut tally = Tally::at(now, cut);
        for row in (0..self.base.len()).filter(|row| !self.is_moved(*row)) {
            tally.add(&BaseRow(&self.base, row), || self.base.hot(row));
        }
        for row in self.overlay.values() {
            tally.add(&row.hot, || row.hot);
        }
        tally
    }

    fn is_moved(&self, row: usize) -> bool {
        is_set(&self.moved, row)
    }
}

impl Merge {
    /// Builds the base. Takes its time; no lock is needed.
    pub fn build(&self) -> Result<Base, ColumnError> {
        let states = self.rows.iter().map(|row| (row.hot, &row.state));
        self.base.merge(|row| is_set(&self.moved, row), states)
    }
}
