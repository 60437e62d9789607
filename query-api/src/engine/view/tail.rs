//! Which records of the tail are events of a workspace, once each. The records themselves stay sealed in the slot's tail;
//! here is only what tells which of them a question needs. Pure.
use schemas::{
    columns::EventRow,
    event::Event,
    ids::{ConversationId, DataFileId, EventId},
    kind::Kind,
    log::Offset,
    partition::{PartitionDay, RetentionClass},
    time::Millis,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use warehouse::{
    catalog::DataFile,
    duplicates::{Candidate, Seen},
};

/// One event of the tail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub conversation: Option<ConversationId>,
    pub kind: Kind,
    pub at: Millis,
    pub day: PartitionDay,
    pub class: RetentionClass,
    pub candidate: Candidate,
    /// Its claimed time was not believed.
    pub claimed: bool,
}

impl Entry {
    pub fn of(event: &Event) -> Self {
        Self {
            conversation: event.conversation,
            kind: event.kind,
            at: event.event_at,
            day: event.partition_day(),
            class: event.retention_class(),
            candidate: Candidate::of(event),
            claimed: event.claimed_at.is_some(),
        }
    }
}

/// The author amendments of the tail. Their records in the log are the copies that they were made of.
pub(crate) type TailAuthors = Arc<BTreeMap<Offset, EventRow>>;

/// See the module's documentation.
#[derive(Default, Debug)]
pub(super) struct TailIndex {
    entries: BTreeMap<Offset, Entry>,
    authors: TailAuthors,
    by_conversation: HashMap<ConversationId, Vec<Offset>>,
}

impl TailIndex {
    /// Takes an event; offsets ascend.
    pub fn push(&mut self, offset: Offset, entry: Entry) {
        if let Some(conversation) = entry.conversation {
            self.by_conversation.entry(conversation).or_default().push(offset);
        }
        self.entries.insert(offset, entry);
    }

    /// Says what was made of the copy at an offset.
    pub fn put_author(&mut self, row: &EventRow) {
        Arc::make_mut(&mut self.authors).insert(row.offset, row.clone());
    }

    /// The author amendments as they are now; questions hold them beside the offsets that they took.
    pub fn authors(&self) -> TailAuthors {
        self.authors.clone()
    }

    /// Lets go of what files hold now.
    pub fn drop_below(&mut self, below: Offset) {
        self.entries = self.entries.split_off(&below);
        if self.authors.first_key_value().is_some_and(|(first, _)| *first < below) {
            self.authors = Arc::new(Arc::make_mut(&mut self.authors).split_off(&below));
        }
        self.by_conversation.retain(|_, offsets| {
            offsets.drain(..offsets.partition_point(|offset| *offset < below));
            !offsets.is_empty()
        });
    }

    /// The events of a conversation, by offset.
    pub fn of_conversation(&self, id: ConversationId) -> impl Iterator<Item = (Offset, &Entry)> {
        let offsets = self.by_conversation.get(&id).map_or(&[][..], Vec::as_slice);
        offsets.iter().filter_map(|offset| Some((*offset, self.entries.get(offset)?)))
    }

    /// The events from an offset on.
    pub fn from(&self, from: Offset) -> impl Iterator<Item = (Offset, &Entry)> {
        self.entries.range(from..).map(|(offset, entry)| (*offset, entry))
    }

    /// What the duplicate check has to remember of the tail from an offset on.
    pub fn seen_from(&self, from: Offset) -> Seen {
        let mut seen = Seen::default();
        for (_, entry) in self.from(from) {
            seen.add(&entry.candidate, entry.claimed);
        }
        seen
    }

    /// The ids in those of these files of events that hold, between their offsets, as many rows as the tail does: by one rule
    /// they are the same ones. Others hold what was landed earlier as well, as merged ones do, or the two sides judged at
    /// times that lie on both sides of an expiry; nothing is said of them.
    pub fn ids_of(&self, files: &[&DataFile]) -> Vec<(DataFileId, Vec<EventId>)> {
        let (Some(from), Some(to)) =
            (files.iter().map(|f| f.min_offset).min(), files.iter().map(|f| f.max_offset).max())
        else {
            return Vec::new();
        };
        let mut parts: HashMap<(PartitionDay, RetentionClass), Vec<(Offset, EventId)>> = HashMap::new();
        for (offset, entry) in self.entries.range(from..=to) {
            parts.entry((entry.day, entry.class)).or_default().push((*offset, entry.candidate.id));
        }
        let of_file = |file: &&DataFile| {
            let part = parts.get(&(file.day, file.class))?;
            let from = part.partition_point(|(offset, _)| *offset < file.min_offset);
            let to = part.partition_point(|(offset, _)| *offset <= file.max_offset);
            let rows = part.get(from..to).filter(|rows| rows.len() as u64 == file.rows)?;
            let ends = (rows.first()?.0, rows.last()?.0);
            (ends == (file.min_offset, file.max_offset)).then(|| (file.id, rows.iter().map(|(_, id)| *id).collect()))
        };
        files.iter().filter_map(of_file).collect()
    }

    /// Bytes of memory, about.
    pub fn memory(&self) -> usize {
        self.entries.len() * (size_of::<Entry>() + 96) + self.authors.len() * (size_of::<EventRow>() + 128)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::{
        ids::WorkspaceId,
        log::Slot,
        partition::{DAY, Table},
    };

    fn id(n: u8) -> EventId {
        EventId([n; 16])
    }

    fn tail() -> TailIndex {
        let mut tail = TailIndex::default();
        // Offsets 10, 12, 14 of day 0, between them 11, 13 of day 1.
        for n in 10..15u8 {
            let day = i32::from(n % 2);
            let at = Millis(i64::from(day) * i64::try_from(DAY.as_millis()).expect("small"));
            let candidate = Candidate { table: Table::Events, ..Candidate::dead_letter(id(n), at) };
            let (day, class) = (PartitionDay(day), RetentionClass::STANDARD);
            let (conversation, kind) = (None, Kind::Message);
            let entry = Entry { conversation, kind, at, day, class, candidate, claimed: false };
            tail.push(Offset(u64::from(n)), entry);
        }
        tail
    }

    fn file(day: i32, offsets: (u64, u64), rows: u64) -> DataFile {
        DataFile {
            id: DataFileId([1; 16]),
            workspace: WorkspaceId([1; 16]),
            slot: Slot(0),
            table: Table::Events,
            day: PartitionDay(day),
            class: RetentionClass::STANDARD,
            rows,
            bytes: 1,
            sha256: [0; 32],
            min_at: Millis(0),
            max_at: Millis(0),
            min_offset: Offset(offsets.0),
            max_offset: Offset(offsets.1),
            amendments: 0,
            created_at: Millis(0),
        }
    }

    #[test]
    fn a_file_is_known_by_the_tail_when_it_holds_the_same_rows() {
        let known = |file: DataFile| tail().ids_of(&[&file]).pop().map(|(_, ids)| ids);
        let of = |ids: &[u8]| Some(ids.iter().map(|n| id(*n)).collect());
        assert_eq!(known(file(0, (10, 14), 3)), of(&[10, 12, 14]));
        assert_eq!(known(file(0, (12, 14), 2)), of(&[12, 14]));
        assert_eq!(known(file(1, (11, 13), 2)), of(&[11, 13]));
        let others = [(0, (10, 14), 2), (0, (10, 14), 4), (0, (8, 14), 4), (0, (9, 14), 3), (2, (10, 14), 1)];
        for (day, offsets, rows) in others {
            assert_eq!(known(file(day, offsets, rows)), None);
        }
        let class = RetentionClass::DEAD_LETTERS;
        assert_eq!(known(DataFile { class, ..file(0, (10, 14), 3) }), None);
    }
}
