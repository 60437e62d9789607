//! What becomes of each record of a batch: copies are dropped, the others are put into partitions, all are counted.
use super::{
    known::Known,
    opened::{Batch, EventFacts, Opened, Place, Plaintexts},
};
use crate::{Shared, TransformError};
use schemas::{
    columns::DeadLetterRow,
    event::{Event, OrderKey, Raw},
    ids::{ConversationId, WorkspaceId},
    kind::IgnoredReason,
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table, day_is_expired},
    time::Millis,
};
use std::{collections::BTreeMap, sync::Arc};
use warehouse::{
    catalog::{ClaimedId, Outcome, Snapshot},
    duplicates::{Candidate, Copies, Origins, Says, Seen, Verdict, is_first, judge},
    file::NewFile,
};

/// Rows of one new file.
#[derive(Default)]
pub(super) struct Rows {
    pub events: Vec<Row>,
    pub dead_letters: Vec<DeadLetterRow>,
}

/// A row of table `events`, by what it is sorted by.
pub(super) struct Row {
    pub conversation: Option<ConversationId>,
    pub order: OrderKey,
    pub offset: Offset,
    pub event: Landed,
}

/// The whole event.
pub(super) enum Landed {
    /// As the log has it.
    AsSent(Place),
    /// Made in the place of a copy.
    Amendment(Box<Event>),
}

/// A batch sorted out: what is written, and what became of every record.
pub(super) struct Sorted {
    pub to: Offset,
    pub partitions: BTreeMap<NewFile, Rows>,
    pub plaintexts: Arc<Plaintexts>,
    pub claimed: Vec<ClaimedId>,
    pub totals: Vec<(WorkspaceId, Outcome, u64)>,
}

impl Sorted {
    pub fn rows(&self) -> u64 {
        self.partitions.values().map(|p| (p.events.len() + p.dead_letters.len()) as u64).sum()
    }
}

impl Batch {
    /// Drops copies, counts, and puts every row into its partition.
    pub async fn sort_out(
        mut self,
        shared: &Shared,
        known: &Known,
        snapshot: Snapshot,
    ) -> Result<Sorted, TransformError> {
        let mut sorted = Sorted {
            to: self.to,
            partitions: BTreeMap::new(),
            plaintexts: Arc::new(std::mem::take(&mut self.plaintexts)),
            claimed: Vec::new(),
            totals: Vec::new(),
        };
        for workspace in self.workspaces() {
            let candidates: Vec<Candidate> = self.records(workspace).filter_map(|(_, what)| candidate(what)).collect();
            let concerned = known.concerned(workspace, &candidates);
            let claimed = known.has_claimed(workspace);
            let mut copies = Copies::new();
            if claimed {
                copies = shared.duplicates.claimed(workspace, snapshot.next, &candidates).await?;
            }
            let (now, retention_days) = (shared.clock.now(), shared.retention_days(workspace));
            let mut origins = Origins::default();
            if !concerned.is_empty() || !copies.is_empty() {
                let mut files = shared.catalog.files(workspace, snapshot).await?;
                // What is expired is no copy of anything, and its key may be gone.
                files.retain(|f| !day_is_expired(f.day, now, f.class, retention_days));
                copies.extend(shared.duplicates.copies(&files, &concerned).await?);
                origins = shared.duplicates.origins(&files, &candidates, &copies, claimed).await?;
            }
            let mut of_workspace = OfWorkspace {
                workspace,
                slot: snapshot.slot,
                now,
                retention_days,
                copies,
                origins,
                seen: Seen::default(),
                partitions: BTreeMap::new(),
                claimed: Vec::new(),
            };
            let mut totals: BTreeMap<Outcome, u64> = BTreeMap::new();
            for (offset, what) in self.records(workspace) {
                let outcome = match what {
                    Opened::Dark => Outcome::Ignored(IgnoredReason::WorkspaceDeleted),
                    Opened::Ignored(reason) => Outcome::Ignored(*reason),
                    Opened::Event(facts) => of_workspace.event(&sorted.plaintexts, offset, facts)?,
                    Opened::Raw(raw) => of_workspace.dead_letter(offset, raw),
                };
                *totals.entry(outcome).or_default() += 1;
            }
            sorted.partitions.extend(of_workspace.partitions);
            sorted.claimed.extend(of_workspace.claimed);
            sorted.totals.extend(totals.into_iter().map(|(outcome, n)| (workspace, outcome, n)));
        }
        Ok(sorted)
    }
}

fn candidate(opened: &Opened) -> Option<Candidate> {
    match opened {
        Opened::Event(facts) => Some(facts.candidate),
        Opened::Raw(raw) => Some(Candidate::dead_letter(raw.id, raw.received_at)),
        Opened::Ignored(_) | Opened::Dark => None,
    }
}

/// The records of one workspace, one after the other.
struct OfWorkspace {
    workspace: WorkspaceId,
    slot: Slot,
    now: Millis,
    retention_days: u16,
    /// What the files say of the records.
    copies: Copies,
    origins: Origins,
    seen: Seen,
    partitions: BTreeMap<NewFile, Rows>,
    claimed: Vec<ClaimedId>,
}

impl OfWorkspace {
    fn event(
        &mut self,
        plaintexts: &Plaintexts,
        offset: Offset,
        facts: &EventFacts,
    ) -> Result<Outcome, TransformError> {
        if is_first(&facts.candidate, &self.copies, &[&self.seen]) {
            let is_taken = self.add(offset, facts, Landed::AsSent(facts.place));
            return Ok(if is_taken { Outcome::Committed } else { Outcome::Ignored(IgnoredReason::TooOld) });
        }
        // A copy leaves something only where it names who wrote it.
        if facts.candidate.says != Says::Member {
            return Ok(Outcome::Duplicate);
        }
        let event = plaintexts.own_event(facts.place)?;
        if let Verdict::Author(amendment) = judge(&event, &self.copies, &self.origins, &[&self.seen]) {
            let facts = EventFacts::of(&amendment, facts.place);
            self.add(offset, &facts, Landed::Amendment(Box::new(amendment)));
        }
        Ok(Outcome::Duplicate)
    }

    /// False for a day whose key may be gone: it takes no more rows.
    fn add(&mut self, offset: Offset, facts: &EventFacts, event: Landed) -> bool {
        let EventFacts { candidate, seq, day, class, is_claimed, .. } = *facts;
        if day_is_expired(day, self.now, class, self.retention_days) {
            return false;
        }
        self.seen.add(&candidate, is_claimed);
        let (workspace, id, at) = (self.workspace, candidate.id, candidate.at);
        if is_claimed {
            self.claimed.push(ClaimedId { workspace, event: id, at, offset });
        }
        let order = OrderKey { at, seq, id };
        let row = Row { conversation: candidate.conversation, order, offset, event };
        self.partition(Table::Events, day, class).events.push(row);
        true
    }

    fn dead_letter(&mut self, offset: Offset, raw: &Raw) -> Outcome {
        let candidate = Candidate::dead_letter(raw.id, raw.received_at);
        let (day, class) = (PartitionDay::containing(raw.received_at), RetentionClass::DEAD_LETTERS);
        if !is_first(&candidate, &self.copies, &[&self.seen]) {
            Outcome::Duplicate
        } else if day_is_expired(day, self.now, class, self.retention_days) {
            Outcome::Ignored(IgnoredReason::TooOld)
        } else {
            self.seen.add(&candidate, false);
            let row = DeadLetterRow { offset, raw: raw.clone() };
            self.partition(Table::DeadLetters, day, class).dead_letters.push(row);
            Outcome::DeadLettered
        }
    }

    fn partition(&mut self, table: Table, day: PartitionDay, class: RetentionClass) -> &mut Rows {
        let target = NewFile { workspace: self.workspace, slot: self.slot, table, day, class };
        self.partitions.entry(target).or_default()
    }
}
