//! Records of the log, opened. Their plaintexts stay as they are until they become columns: an event of its own for each
//! would be allocated, moved and freed only to be copied once more.
use crate::{Shared, TransformError};
use keys::Keyring;
use records::{Opener, RecordError};
use schemas::{
    event::{Event, Raw},
    ids::WorkspaceId,
    kind::IgnoredReason,
    log::Offset,
    partition::{PartitionDay, RetentionClass},
    record::SealedRecord,
    wire::{Payload, WireError},
};
use std::collections::HashMap;
use warehouse::{catalog::Snapshot, duplicates::Candidate};

/// Bytes of the log that are opened together.
const READ_BYTES: usize = 4 << 20;

/// Opened records of one slot.
pub(super) struct Batch {
    pub to: Offset,
    records: Vec<Vec<(Offset, WorkspaceId, Opened)>>,
    /// Where the records of each workspace are: read and place in it, in offset order.
    workspaces: HashMap<WorkspaceId, Vec<(usize, usize)>>,
    pub plaintexts: Plaintexts,
}

/// What a record is.
pub(super) enum Opened {
    Event(EventFacts),
    Raw(Box<Raw>),
    Ignored(IgnoredReason),
    /// The workspace's key is destroyed.
    Dark,
}

/// What is asked about an event before it is written, and where the whole of it is.
pub(super) struct EventFacts {
    pub candidate: Candidate,
    pub seq: i64,
    pub day: PartitionDay,
    pub class: RetentionClass,
    /// Its claimed time was not believed.
    pub is_claimed: bool,
    pub place: Place,
}

/// Where a plaintext lies, and how it reads.
#[derive(Clone, Copy)]
pub(super) struct Place {
    read: u32,
    at: u32,
    len: u32,
    schema: u32,
}

/// The plaintexts of a batch, end to end in one buffer for each read.
#[derive(Default)]
pub(super) struct Plaintexts(Vec<Vec<u8>>);

impl Plaintexts {
    /// The event at a place that [`Batch::read`] gave.
    pub fn event(&self, place: Place) -> Result<Event<&str>, TransformError> {
        whole(Payload::decode(place.schema, self.at(place)))
    }

    /// The same with texts of its own.
    pub fn own_event(&self, place: Place) -> Result<Event, TransformError> {
        whole(Payload::decode(place.schema, self.at(place)))
    }

    fn at(&self, place: Place) -> &[u8] {
        let from = place.at as usize;
        let plaintext = self.0.get(place.read as usize).and_then(|read| read.get(from..from + place.len as usize));
        plaintext.unwrap_or_default()
    }
}

fn whole<T>(payload: Result<Payload<T>, WireError>) -> Result<Event<T>, TransformError> {
    match payload {
        Ok(Payload::Event(event)) => Ok(event),
        _ => Err(TransformError::Integrity("what was read as an event is none any more".into())),
    }
}

/// What one read gave.
struct Read {
    records: Vec<(Offset, WorkspaceId, Opened)>,
    plaintexts: Vec<u8>,
}

impl Batch {
    /// Reads and opens records from the snapshot's end on, up to `to` or the limits.
    pub async fn read(shared: &Shared, snapshot: Snapshot, to: Offset) -> Result<Self, TransformError> {
        let mut next = snapshot.next;
        let (mut bytes, mut rows) = (0, 0);
        let mut opening = Vec::new();
        while next < to && bytes < shared.land.max_bytes && rows < shared.land.max_rows {
            let read = shared.log.read(snapshot.slot, next, READ_BYTES).await.map_err(super::log)?;
            if read.next == next {
                break;
            }
            next = read.next;
            bytes += read.records.iter().map(|(_, r)| r.encoded_len()).sum::<usize>();
            rows += read.records.len() as u64;
            // Opening is pure work: the next read goes on beside it.
            let keyring = shared.keyring.clone();
            let number = u32::try_from(opening.len()).unwrap_or(u32::MAX);
            opening.push(tokio::spawn(async move { open(&keyring, number, read.records).await }));
        }
        let mut batch =
            Self { to: next, records: Vec::new(), workspaces: HashMap::new(), plaintexts: Plaintexts::default() };
        for task in opening {
            let read = task.await.map_err(|_| TransformError::Unavailable("opening was stopped".into()))??;
            for (place, (_, workspace, _)) in read.records.iter().enumerate() {
                batch.workspaces.entry(*workspace).or_default().push((batch.records.len(), place));
            }
            batch.records.push(read.records);
            batch.plaintexts.0.push(read.plaintexts);
        }
        Ok(batch)
    }

    /// Those that have records.
    pub fn workspaces(&self) -> impl Iterator<Item = WorkspaceId> {
        self.workspaces.keys().copied()
    }

    /// A workspace's records, in offset order.
    pub fn records(&self, workspace: WorkspaceId) -> impl Iterator<Item = (Offset, &Opened)> {
        let places = self.workspaces.get(&workspace).into_iter().flatten();
        places.filter_map(|(read, place)| self.records.get(*read)?.get(*place)).map(|(offset, _, what)| (*offset, what))
    }
}

async fn open(keyring: &Keyring, read: u32, records: Vec<(Offset, SealedRecord)>) -> Result<Read, TransformError> {
    let sealed: usize = records.iter().map(|(_, record)| record.value.len()).sum();
    let mut opened = Read { records: Vec::with_capacity(records.len()), plaintexts: Vec::with_capacity(sealed) };
    let mut opener = Opener::new(keyring);
    for (offset, record) in records {
        let damaged = |why: &dyn std::fmt::Display| TransformError::Integrity(format!("offset {offset}: {why}"));
        let what = match opener.open(&record).await {
            Ok(plaintext) => {
                let at = opened.plaintexts.len();
                let place = Place {
                    read,
                    at: u32::try_from(at).map_err(|_| damaged(&"the read is too long"))?,
                    len: u32::try_from(plaintext.len()).map_err(|_| damaged(&"it is too long"))?,
                    schema: record.schema,
                };
                match Payload::<&str>::decode(record.schema, plaintext).map_err(|error| damaged(&error))? {
                    Payload::Event(event) => {
                        let facts = EventFacts::of(&event, place);
                        opened.plaintexts.extend_from_slice(plaintext);
                        Opened::Event(facts)
                    }
                    Payload::Raw(raw) => Opened::Raw(Box::new(raw)),
                    Payload::Ignored(ignored) => Opened::Ignored(ignored.reason),
                }
            }
            Err(RecordError::KeyDestroyed) => Opened::Dark,
            Err(RecordError::Unavailable(why)) => return Err(TransformError::Unavailable(why)),
            Err(other) => return Err(damaged(&other)),
        };
        opened.records.push((offset, record.workspace, what));
    }
    Ok(opened)
}

impl EventFacts {
    pub(super) fn of<T>(event: &Event<T>, place: Place) -> Self {
        Self {
            candidate: Candidate::of(event),
            seq: event.seq,
            day: event.partition_day(),
            class: event.retention_class(),
            is_claimed: event.claimed_at.is_some(),
            place,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use schemas::{
        ids::{ConnectionId, EventId},
        kind::{Kind, Platform, Source},
        record::SchemaId,
        time::Millis,
    };

    /// An event with this id.
    pub fn event(n: u8) -> Event {
        Event {
            id: EventId([n; 16]),
            kind: Kind::Message,
            source: Source::Webhooks,
            connection: ConnectionId([0; 16]),
            platform: Platform::Line,
            conversation: None,
            contact: None,
            author: None,
            event_at: Millis(0),
            claimed_at: None,
            received_at: Millis(0),
            seq: 0,
            message: None,
            amends: None,
            details: "x".repeat(usize::from(n)),
        }
    }

    fn plaintext(n: u8) -> Vec<u8> {
        Payload::Event(event(n)).encode().expect("encoded")
    }

    #[test]
    fn a_place_is_one_of_its_own_read() {
        let (mut reads, mut places) = (Plaintexts::default(), Vec::new());
        for (read, events) in [[1u8, 2, 3], [4, 5, 6]].into_iter().enumerate() {
            let mut buffer = Vec::new();
            for n in events {
                let plaintext = plaintext(n);
                let (read, at) = (read as u32, buffer.len() as u32);
                places.push((n, Place { read, at, len: plaintext.len() as u32, schema: SchemaId::EventV1 as u32 }));
                buffer.extend(plaintext);
            }
            reads.0.push(buffer);
        }
        for (n, place) in places {
            let lent = reads.event(place).expect("an event");
            assert_eq!((lent.id, lent.details.len()), (EventId([n; 16]), usize::from(n)));
            assert_eq!(reads.own_event(place).expect("an event").id, lent.id);
            for wrong in [Place { read: 2, ..place }, Place { at: u32::MAX, ..place }, Place { len: 3, ..place }] {
                assert!(matches!(reads.event(wrong), Err(TransformError::Integrity(_))));
            }
        }
    }
}
