//! The records of a slot that no snapshot holds yet, sealed as they came. Pure.
//!
//! Every offset is kept, by workspace; the records themselves as far as the budget goes, the newest first. What is left
//! out is read again from the log.
use schemas::{ids::WorkspaceId, log::Offset, record::SealedRecord};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// About what a record takes beside its value.
const RECORD_BYTES: usize = 320;

/// Where a record lies, and the bytes of its sealed value.
type Place = (Offset, u32);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Tail {
    start: Offset,
    end: Offset,
    held: BTreeMap<Offset, SealedRecord>,
    by_workspace: HashMap<WorkspaceId, VecDeque<Place>>,
    rows: u64,
    bytes: usize,
    budget: usize,
}

fn weight(record: &SealedRecord) -> usize {
    RECORD_BYTES + record.value.len()
}

impl Tail {
    /// An empty tail that begins at an offset.
    pub fn new(start: Offset, budget: usize) -> Self {
        Self { start, end: start, held: BTreeMap::new(), by_workspace: HashMap::new(), rows: 0, bytes: 0, budget }
    }

    /// Below this nothing is known any more.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// Where the log is to be read on.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Takes what was read from the end on; returns whose records there were.
    pub fn push(&mut self, records: Vec<(Offset, SealedRecord)>, next: Offset) -> Vec<WorkspaceId> {
        let mut touched = Vec::new();
        for (offset, record) in records {
            if touched.last() != Some(&record.workspace) {
                touched.push(record.workspace);
            }
            let bytes = u32::try_from(record.value.len()).unwrap_or(u32::MAX);
            self.by_workspace.entry(record.workspace).or_default().push_back((offset, bytes));
            self.rows += 1;
            self.bytes += weight(&record);
            self.held.insert(offset, record);
        }
        while self.bytes > self.budget
            && let Some((_, record)) = self.held.pop_first()
        {
            self.bytes -= weight(&record);
        }
        self.end = self.end.max(next);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Where the records of a workspace lie from `from` on.
    pub fn places(&self, workspace: WorkspaceId, from: Offset) -> impl Iterator<Item = Place> {
        let places = self.by_workspace.get(&workspace);
        let start = places.map_or(0, |places| places.partition_point(|(offset, _)| *offset < from));
        places.into_iter().flat_map(move |places| places.range(start..)).copied()
    }

    /// The record at an offset, if it is held.
    pub fn get(&self, offset: Offset) -> Option<&SealedRecord> {
        self.held.get(&offset)
    }

    /// Lets go of what lies below an offset.
    pub fn drop_below(&mut self, below: Offset) {
        self.start = self.start.max(below);
        let kept = self.held.split_off(&below);
        for record in std::mem::replace(&mut self.held, kept).values() {
            self.bytes -= weight(record);
        }
        let rows = &mut self.rows;
        self.by_workspace.retain(|_, offsets| {
            let gone = offsets.partition_point(|(offset, _)| *offset < below);
            *rows -= gone as u64;
            offsets.drain(..gone);
            if offsets.capacity() > 4 * offsets.len() + 64 {
                offsets.shrink_to_fit();
            }
            !offsets.is_empty()
        });
    }

    /// Records, and bytes of those that are held.
    pub fn size(&self) -> (u64, u64) {
        (self.rows, self.bytes as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::ids::{DekId, EventId};

    fn record(workspace: u8) -> SealedRecord {
        SealedRecord {
            workspace: WorkspaceId([workspace; 16]),
            event: EventId([0; 16]),
            schema: 1,
            master_key: "".into(),
            dek: DekId([0; 16]),
            wrapped_dek: [0; 60],
            commitment: [0; 16],
            value: vec![0; 80].into(),
        }
    }

    fn offsets(tail: &Tail, workspace: u8, from: u64) -> Vec<u64> {
        tail.places(WorkspaceId([workspace; 16]), Offset(from)).map(|(offset, _)| offset.0).collect()
    }

    #[test]
    fn over_the_budget_the_oldest_records_go_and_no_offset_does() {
        let mut tail = Tail::new(Offset(10), 1000);
        let touched = tail.push((10..16).map(|o| (Offset(o), record((o % 2) as u8))).collect(), Offset(20));
        assert_eq!(touched, [WorkspaceId([0; 16]), WorkspaceId([1; 16])]);
        assert_eq!(tail.size(), (6, 800));
        assert!(tail.get(Offset(13)).is_none() && tail.get(Offset(14)).is_some());
        assert_eq!((offsets(&tail, 0, 0), offsets(&tail, 1, 12)), (vec![10, 12, 14], vec![13, 15]));
        tail.drop_below(Offset(15));
        assert_eq!((offsets(&tail, 0, 0), offsets(&tail, 1, 0), tail.size()), (vec![], vec![15], (1, 400)));
        assert_eq!((tail.start(), tail.end()), (Offset(15), Offset(20)));
    }
}
