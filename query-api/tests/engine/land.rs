//! What transform does, by hand and simply: land a stretch of the log, derive states, compact.
use crate::world::World;
use schemas::{
    amendment::Amendments,
    columns::{ConversationColumns, EventColumns, EventRow, read_events},
    conversation::ConversationState,
    ids::{ConversationId, WorkspaceId},
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table},
    wire::Payload,
};
use std::collections::{BTreeMap, HashMap};
use warehouse::{
    catalog::{DataFile, LandCommit, Lease, Outcome, Replacement},
    duplicates::{Candidate, Seen, Verdict, judge},
    file::NewFile,
};

const CLASS: RetentionClass = RetentionClass::STANDARD;

impl World {
    /// Lands everything of a slot up to an offset.
    pub async fn land(&self, slot: Slot, to: Offset) {
        let snapshot = self.catalog.snapshot(slot).await.expect("a snapshot");
        let (mut next, mut records) = (snapshot.next, Vec::new());
        while next < to {
            let batch = self.log.read(slot, next, 1 << 20).await.expect("records");
            next = batch.next;
            records.extend(batch.records.into_iter().filter(|(offset, _)| *offset < to));
        }
        let mut rows: BTreeMap<WorkspaceId, Vec<EventRow>> = BTreeMap::new();
        for (offset, record) in records {
            if let Payload::Event(event) = records::open(&self.keyring, &record).await.expect("opened") {
                rows.entry(record.workspace).or_default().push(EventRow::new(offset, event));
            }
        }
        let (mut add, mut totals) = (Vec::new(), Vec::new());
        for (workspace, rows) in rows {
            let files = self.catalog.files(workspace, snapshot).await.expect("files");
            let candidates: Vec<Candidate> = rows.iter().map(|r| Candidate::of(&r.event)).collect();
            let known = self.duplicates.in_files(workspace, &files, snapshot.next, &candidates).await.expect("asked");
            let (mut seen, mut days): (Seen, BTreeMap<PartitionDay, Vec<EventRow>>) = Default::default();
            let all = rows.len() as u64;
            let origins = self.duplicates.origins(&files, &candidates, &known, true).await.expect("asked");
            let mut kept = 0;
            for mut row in rows {
                match judge(&row.event, &known, &origins, &[&seen]) {
                    Verdict::First => kept += 1,
                    Verdict::Author(amendment) => row.event = amendment,
                    Verdict::Copy => continue,
                }
                seen.add(&Candidate::of(&row.event), row.event.claimed_at.is_some());
                days.entry(row.event.partition_day()).or_default().push(row);
            }
            totals.push((workspace, Outcome::Committed, kept));
            totals.push((workspace, Outcome::Duplicate, all - kept));
            for (day, rows) in days {
                add.push(self.write(workspace, slot, day, rows).await);
            }
        }
        let generation = self.catalog.take_slot(slot, "test").await.expect("a slot");
        let commit =
            LandCommit { generation, from: snapshot.next, to, add, claimed: Vec::new(), totals, at: self.now() };
        self.catalog.commit_land(commit).await.expect("committed");
    }

    async fn write(&self, workspace: WorkspaceId, slot: Slot, day: PartitionDay, mut rows: Vec<EventRow>) -> DataFile {
        rows.sort_by_key(|row| (row.event.conversation, row.event.order_key()));
        let mut columns = EventColumns::with_capacity(rows.len());
        for row in &rows {
            columns.push(row).expect("a row");
        }
        let target = NewFile { workspace, slot, table: Table::Events, day, class: CLASS };
        self.files.write(target, vec![columns.finish().expect("a batch")]).await.expect("written")
    }

    async fn replace(
        &self,
        slot: Slot,
        remove: Vec<DataFile>,
        add: Vec<DataFile>,
        derived: Vec<(WorkspaceId, Offset)>,
    ) {
        let until = schemas::time::Millis(self.now().0 + 60_000);
        let lease: Option<Lease> =
            self.catalog.take_lease("test", "test", self.now(), until).await.expect("asked for a lease");
        let remove = remove.iter().map(|f| f.id).collect();
        let replacement = Replacement { lease: lease.expect("a lease"), slot, remove, add, derived, at: self.now() };
        self.catalog.replace(replacement).await.expect("replaced");
    }

    pub async fn landed(&self, workspace: WorkspaceId, slot: Slot) -> (Vec<DataFile>, Vec<EventRow>, Offset) {
        let snapshot = self.catalog.snapshot(slot).await.expect("a snapshot");
        let mut files = self.catalog.files(workspace, snapshot).await.expect("files");
        files.retain(|f| f.table == Table::Events);
        let mut rows = Vec::new();
        for file in &files {
            for batch in self.files.read(file, None).await.expect("batches") {
                rows.extend(read_events(&batch).expect("rows"));
            }
        }
        rows.sort_by_key(|row| row.offset);
        (files, rows, snapshot.next)
    }

    /// Derives all conversations of a workspace from what is landed.
    pub async fn derive(&self, workspace: WorkspaceId, slot: Slot) {
        let (_, rows, next) = self.landed(workspace, slot).await;
        let mut states: HashMap<ConversationId, ConversationState> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            let event = &row.event;
            let Some(id) = event.conversation else { continue };
            let state =
                states.entry(id).or_insert_with(|| ConversationState::new(id, event.connection, event.platform));
            state.fold_row(row);
            if state.stale {
                state.refold(
                    schemas::time::Millis(0),
                    rows[..=at].iter().map(|r| &r.event).filter(|e| e.conversation == Some(id)),
                );
            }
        }
        let mut amendments = Amendments::default();
        for row in rows.iter().filter(|row| !row.folded) {
            amendments.add(&row.event);
        }
        let mut days: BTreeMap<PartitionDay, Vec<ConversationState>> = BTreeMap::new();
        for mut state in states.into_values() {
            state.amend(&amendments);
            state.version = next;
            days.entry(state.home_day().expect("a day")).or_default().push(state);
        }
        let mut add = Vec::new();
        for (day, states) in days {
            let mut columns = ConversationColumns::with_capacity(states.len());
            for state in &states {
                columns.push(state).expect("a state");
            }
            let target = NewFile { workspace, slot, table: Table::Conversations, day, class: CLASS };
            add.push(self.files.write(target, vec![columns.finish().expect("a batch")]).await.expect("written"));
        }
        self.replace(slot, Vec::new(), add, vec![(workspace, next)]).await;
    }

    /// One file per day, amendments folded in.
    pub async fn compact(&self, workspace: WorkspaceId, slot: Slot) -> Vec<DataFile> {
        let (files, rows, _) = self.landed(workspace, slot).await;
        let mut amendments = Amendments::default();
        for row in &rows {
            amendments.add(&row.event);
        }
        let mut days: BTreeMap<PartitionDay, Vec<EventRow>> = BTreeMap::new();
        for mut row in rows {
            amendments.apply(&mut row);
            row.folded = row.event.amends.is_some();
            days.entry(row.event.partition_day()).or_default().push(row);
        }
        let mut add = Vec::new();
        for (day, rows) in days {
            add.push(self.write(workspace, slot, day, rows).await);
        }
        self.replace(slot, files.clone(), add, Vec::new()).await;
        files
    }
}
