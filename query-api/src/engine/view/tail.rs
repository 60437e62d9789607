//! Which records of the tail are events of a workspace, once each. The records themselves stay sealed in the slot's tail;
//! here is only what tells which of them a question needs. Pure.
use schemas::{
    columns::EventRow, event::Event, ids::ConversationId, kind::Kind, log::Offset, partition::PartitionDay,
    time::Millis,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use warehouse::duplicates::{Candidate, Seen};

/// One event of the tail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub conversation: Option<ConversationId>,
    pub kind: Kind,
    pub at: Millis,
    pub day: PartitionDay,
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

    /// Bytes of memory, about.
    pub fn memory(&self) -> usize {
        self.entries.len() * (size_of::<Entry>() + 96) + self.authors.len() * (size_of::<EventRow>() + 128)
    }
}
