//! From records to rows by partition: opened, checked for copies, counted.
use super::known::Known;
use crate::{Shared, TransformError};
use records::{Opener, RecordError};
use schemas::{
    columns::{DeadLetterRow, EventRow},
    event::Event,
    ids::WorkspaceId,
    kind::IgnoredReason,
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table, day_is_expired},
    record::SealedRecord,
    wire::Payload,
};
use std::collections::{BTreeMap, HashMap};
use warehouse::{
    catalog::{ClaimedId, Outcome, Snapshot},
    duplicates::{Candidate, Copies, Origins, Seen, Verdict, judge},
    file::NewFile,
};

/// Rows of one new file.
#[derive(Default)]
pub(super) struct Rows {
    pub events: Vec<EventRow>,
    pub dead_letters: Vec<DeadLetterRow>,
}

/// Opened records of one slot, by workspace, in offset order.
pub(super) struct Batch {
    to: Offset,
    workspaces: HashMap<WorkspaceId, Vec<(Offset, Opened)>>,
}

enum Opened {
    /// In a box, as it is moved from list to list on its way into a file.
    Payload(Box<Payload>),
    /// The workspace's key is destroyed.
    Dark,
}

/// A batch sorted out: what is written, and what became of every record.
pub(super) struct Sorted {
    pub to: Offset,
    pub partitions: BTreeMap<NewFile, Rows>,
    pub claimed: Vec<ClaimedId>,
    pub totals: Vec<(WorkspaceId, Outcome, u64)>,
}

impl Sorted {
    pub fn rows(&self) -> u64 {
        self.partitions.values().map(|p| (p.events.len() + p.dead_letters.len()) as u64).sum()
    }
}

impl Batch {
    /// Reads and opens records from the snapshot's end on, up to `to` or the limits.
    pub async fn read(shared: &Shared, snapshot: Snapshot, to: Offset) -> Result<Self, TransformError> {
        let mut next = snapshot.next;
        let (mut bytes, mut rows) = (0, 0);
        let mut opening = Vec::new();
        while next < to && bytes < shared.land.max_bytes && rows < shared.land.max_rows {
            let read = shared.log.read(snapshot.slot, next, 4 << 20).await.map_err(super::log)?;
            if read.next == next {
                break;
            }
            next = read.next;
            bytes += read.records.iter().map(|(_, r)| r.encoded_len()).sum::<usize>();
            rows += read.records.len() as u64;
            // Opening is pure work: the next read goes on beside it.
            let keyring = shared.keyring.clone();
            opening.push(tokio::spawn(async move { open_all(&keyring, read.records).await }));
        }
        let mut workspaces: HashMap<WorkspaceId, Vec<(Offset, Opened)>> = HashMap::new();
        for task in opening {
            let opened = task.await.map_err(|_| TransformError::Unavailable("opening was stopped".into()))??;
            for (offset, workspace, payload) in opened {
                workspaces.entry(workspace).or_default().push((offset, payload));
            }
        }
        Ok(Self { to: next, workspaces })
    }

    /// Drops copies, counts, and puts every row into its partition.
    pub async fn sort_out(self, shared: &Shared, known: &Known, snapshot: Snapshot) -> Result<Sorted, TransformError> {
        let mut sorted = Sorted { to: self.to, partitions: BTreeMap::new(), claimed: Vec::new(), totals: Vec::new() };
        for (workspace, records) in self.workspaces {
            let candidates: Vec<Candidate> = records.iter().filter_map(|(_, opened)| candidate(opened)).collect();
            let concerned = known.concerned(workspace, &candidates);
            let claimed = known.has_claimed(workspace);
            let mut copies = Copies::new();
            if claimed {
                copies = shared.duplicates.claimed(workspace, snapshot.next, &candidates).await?;
            }
            let mut origins = Origins::default();
            if !concerned.is_empty() || !copies.is_empty() {
                let (now, days) = (shared.clock.now(), shared.retention_days(workspace));
                let mut files = shared.catalog.files(workspace, snapshot).await?;
                // What is expired is no copy of anything, and its key may be gone.
                files.retain(|f| !day_is_expired(f.day, now, f.class, days));
                copies.extend(shared.duplicates.copies(&files, &concerned).await?);
                origins = shared.duplicates.origins(&files, &candidates, &copies, claimed).await?;
            }
            sorted.sort_workspace(shared, workspace, snapshot.slot, records, &Before { copies, origins });
        }
        Ok(sorted)
    }
}

/// What the files say of a workspace's records.
struct Before {
    copies: Copies,
    origins: Origins,
}

async fn open_all(
    keyring: &keys::Keyring,
    records: Vec<(Offset, SealedRecord)>,
) -> Result<Vec<(Offset, WorkspaceId, Opened)>, TransformError> {
    let mut opened = Vec::with_capacity(records.len());
    let mut opener = Opener::new(keyring);
    for (offset, record) in records {
        let payload = match opener.open(&record).await {
            Ok(payload) => Opened::Payload(Box::new(payload)),
            Err(RecordError::KeyDestroyed) => Opened::Dark,
            Err(RecordError::Unavailable(why)) => return Err(TransformError::Unavailable(why)),
            Err(other) => return Err(TransformError::Integrity(format!("offset {offset}: {other}"))),
        };
        opened.push((offset, record.workspace, payload));
    }
    Ok(opened)
}

fn candidate(opened: &Opened) -> Option<Candidate> {
    let Opened::Payload(payload) = opened else { return None };
    match payload.as_ref() {
        Payload::Event(event) => Some(Candidate::of(event)),
        Payload::Raw(raw) => Some(Candidate::dead_letter(raw.id, raw.received_at)),
        Payload::Ignored(_) => None,
    }
}

impl Sorted {
    fn sort_workspace(
        &mut self,
        shared: &Shared,
        workspace: WorkspaceId,
        slot: Slot,
        records: Vec<(Offset, Opened)>,
        before: &Before,
    ) {
        let now = shared.clock.now();
        let days = shared.retention_days(workspace);
        let mut seen = Seen::default();
        let mut totals: BTreeMap<Outcome, u64> = BTreeMap::new();
        for (offset, opened) in records {
            let payload = match opened {
                Opened::Dark => None,
                Opened::Payload(payload) => Some(*payload),
            };
            let outcome = match payload {
                None => Outcome::Ignored(IgnoredReason::WorkspaceDeleted),
                Some(Payload::Ignored(ignored)) => Outcome::Ignored(ignored.reason),
                Some(Payload::Event(event)) => {
                    let (event, outcome) = match judge(&event, &before.copies, &before.origins, &[&seen]) {
                        Verdict::First => (Some(event), Outcome::Committed),
                        Verdict::Author(amendment) => (Some(amendment), Outcome::Duplicate),
                        Verdict::Copy => (None, Outcome::Duplicate),
                    };
                    // A day whose key may be gone takes no more rows.
                    let gone = |e: &Event| day_is_expired(e.partition_day(), now, e.retention_class(), days);
                    match event {
                        Some(event) if !gone(&event) => {
                            let (day, class) = (event.partition_day(), event.retention_class());
                            let claimed = event.claimed_at.is_some();
                            seen.add(&Candidate::of(&event), claimed);
                            if claimed {
                                self.claimed.push(ClaimedId { workspace, event: event.id, at: event.event_at, offset });
                            }
                            let target = NewFile { workspace, slot, table: Table::Events, day, class };
                            let rows = self.partitions.entry(target).or_default();
                            rows.events.push(EventRow::new(offset, event));
                            outcome
                        }
                        Some(_) if outcome == Outcome::Committed => Outcome::Ignored(IgnoredReason::TooOld),
                        _ => outcome,
                    }
                }
                Some(Payload::Raw(raw)) => {
                    let candidate = Candidate::dead_letter(raw.id, raw.received_at);
                    let day = PartitionDay::containing(raw.received_at);
                    let class = RetentionClass::DEAD_LETTERS;
                    if before.copies.contains(&candidate.key()) || seen.has(&candidate) {
                        Outcome::Duplicate
                    } else if day_is_expired(day, now, class, days) {
                        Outcome::Ignored(IgnoredReason::TooOld)
                    } else {
                        seen.add(&candidate, false);
                        let target = NewFile { workspace, slot, table: Table::DeadLetters, day, class };
                        let rows = self.partitions.entry(target).or_default();
                        rows.dead_letters.push(DeadLetterRow { offset, raw });
                        Outcome::DeadLettered
                    }
                }
            };
            *totals.entry(outcome).or_default() += 1;
        }
        self.totals.extend(totals.into_iter().map(|(outcome, n)| (workspace, outcome, n)));
    }
}
