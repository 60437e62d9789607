//! Folding what came: records of the tail become events once each, events become states, and the result is put in place
//! at once.
use super::{Folding, View, tail::Entry};
use crate::engine::{changes, fault::Fault, weight};
use records::RecordError;
use schemas::{
    columns::EventRow, conversation::ConversationState, ids::ConversationId, kind::Kind, log::Offset,
    partition::day_is_expired, wire::Payload,
};
use std::{
    collections::{HashMap, hash_map},
    sync::{Arc, atomic::Ordering},
};
use warehouse::{
    catalog::DataFile,
    duplicates::{Candidate, Duplicates, Origins, Says, Seen, Verdict, judge},
};

/// Records that are opened and folded together.
const TOGETHER: usize = 2048;

impl View {
    /// Folds everything that the slot had read when this was called.
    pub async fn catch_up(self: &Arc<Self>) -> Result<(), Fault> {
        let target = self.slot.end();
        if self.next() >= target {
            return Ok(());
        }
        let mut folding = self.folding.clone().lock_owned().await;
        let view = self.clone();
        // A task of its own: a caller that goes away must not take with it what is folded and not told yet. Who waits
        // for the lock has no task, so that there is one for each view.
        let folded = tokio::spawn(async move { view.fold_up_to(&mut folding, target).await });
        folded.await.map_err(|_| Fault::stopping())?
    }

    async fn fold_up_to(self: &Arc<Self>, folding: &mut Folding, target: Offset) -> Result<(), Fault> {
        while self.next() < target {
            let (offsets, end) = self.slot.pending(self.workspace, self.next(), TOGETHER, weight::TOGETHER)?;
            let rows = self.admit(&folding.seen, &offsets).await?;
            self.fold(folding, rows, end).await?;
        }
        self.merge_beside(folding);
        Ok(())
    }

    /// Opens records and drops copies, or makes author amendments of them, by the rule that land does it by. What land will not store is dropped as well.
    async fn admit(&self, seen: &Seen, offsets: &[Offset]) -> Result<Vec<EventRow>, Fault> {
        let context = &self.context;
        let mut rows = Vec::with_capacity(offsets.len());
        for (offset, record) in self.slot.fetch(offsets).await? {
            match records::open(&context.keyring, &record).await {
                Ok(Payload::Event(event)) => rows.push(EventRow::new(offset, event)),
                Ok(Payload::Raw(_) | Payload::Ignored(_)) => {}
                Err(RecordError::KeyDestroyed) => drop(context.metrics.key_destroyed.inc()),
                Err(error) => return Err(error.into()),
            }
        }
        if rows.is_empty() {
            return Ok(rows);
        }
        let candidates: Vec<Candidate> = rows.iter().map(|row| Candidate::of(&row.event)).collect();
        let pinned = self.state.read().pinned.clone();
        let (now, days) = (context.clock.now(), context.retention_days(self.workspace));
        // What is expired is no copy of anything, and its key may be gone. In-order traffic concerns no file.
        let retained = |file: &&DataFile| !day_is_expired(file.day, now, file.class, days);
        let concerned = |file: &&DataFile| {
            candidates.iter().any(|candidate| Duplicates::concerns(std::slice::from_ref(file), candidate))
        };
        let files: Vec<DataFile> = pinned.files.iter().filter(concerned).filter(retained).cloned().collect();
        let mut known = context.duplicates.copies(&files, &candidates).await?;
        if pinned.claimed {
            known.extend(context.duplicates.claimed(self.workspace, pinned.snapshot.next, &candidates).await?);
        }
        let mut origins = Origins::default();
        if candidates.iter().any(|c| c.says == Says::Member && known.contains(&c.key())) {
            let files: Vec<DataFile> = pinned.files.iter().filter(retained).cloned().collect();
            origins = context.duplicates.origins(&files, &candidates, &known, pinned.claimed).await?;
        }
        let mut fresh = Seen::default();
        rows.retain_mut(|row| {
            match judge(&row.event, &known, &origins, &[seen, &fresh]) {
                Verdict::First => {}
                Verdict::Copy => {
                    context.metrics.duplicates.inc();
                    return false;
                }
                Verdict::Author(amendment) => {
                    context.metrics.duplicates.inc();
                    row.event = amendment;
                }
            }
            let event = &row.event;
            let stored = !day_is_expired(event.partition_day(), now, event.retention_class(), days);
            if stored {
                fresh.add(&Candidate::of(event), event.claimed_at.is_some());
            }
            stored
        });
        Ok(rows)
    }

    /// Folds events that were admitted; the slot is covered up to `end` then.
    async fn fold(&self, folding: &mut Folding, rows: Vec<EventRow>, end: Offset) -> Result<(), Fault> {
        let mut states = self.states_of(&rows)?;
        fold_rows(&mut states, &rows);
        self.refold_stale(&mut states, &rows).await?;
        {
            let mut state = self.state.write();
            for state_of_one in states.into_values() {
                state.inbox.put(state_of_one);
            }
            for row in &rows {
                let (event, entry) = (&row.event, Entry::of(&row.event));
                state.amendments.add(event);
                if let Some(conversation) = event.conversation {
                    state.cut_days.add(entry.day, conversation, entry.at, entry.kind == Kind::Message);
                }
                folding.seen.add(&entry.candidate, entry.claimed);
                state.tail.push(row.offset, entry);
                if event.kind == Kind::AuthorAmendment {
                    state.tail.put_author(row);
                }
            }
            self.seen.store(folding.seen.len(), Ordering::Relaxed);
            self.next.store(end.0, Ordering::Release);
        }
        let now = self.context.clock.now();
        for row in rows.iter().filter(|_| self.live.load(Ordering::Relaxed)) {
            self.context.metrics.visible_seconds.observe(now.since(row.event.received_at).as_secs_f64());
        }
        if self.has_subscribers()
            && let Err(fault) = self.tell(folding, rows).await
        {
            // The events are folded and will not come again: who listens begins anew.
            tracing::warn!(workspace = %self.workspace, ?fault, "changes could not be told");
            self.listeners.lock().renew();
        }
        Ok(())
    }

    /// Tells subscribers what events that are folded have changed.
    async fn tell(&self, folding: &Folding, rows: Vec<EventRow>) -> Result<(), Fault> {
        self.count_cut_days_folding(folding, self.now_and_cut().1).await?;
        let changes = changes::of_rows(self, rows).await?;
        let listeners = self.listeners.lock();
        changes.into_iter().for_each(|change| listeners.publish(change));
        Ok(())
    }

    /// The states of the conversations that these events belong to; new ones where there are none.
    fn states_of(&self, rows: &[EventRow]) -> Result<HashMap<ConversationId, ConversationState>, Fault> {
        let mut states = HashMap::new();
        self.add_states_of(&mut states, rows)?;
        Ok(states)
    }

    /// Adds those of them that are not there.
    pub(super) fn add_states_of(
        &self,
        states: &mut HashMap<ConversationId, ConversationState>,
        rows: &[EventRow],
    ) -> Result<(), Fault> {
        let state = self.state.read();
        for event in rows.iter().map(|row| &row.event) {
            let Some(id) = event.conversation else { continue };
            if let hash_map::Entry::Vacant(entry) = states.entry(id) {
                let held = state.inbox.state(id)?;
                entry.insert(held.unwrap_or_else(|| ConversationState::new(id, event.connection, event.platform)));
            }
        }
        Ok(())
    }

    /// Builds the inbox's base anew beside what goes on, once enough has moved.
    fn merge_beside(self: &Arc<Self>, folding: &mut Folding) {
        if folding.merging {
            return;
        }
        let Some(merge) = self.state.read().inbox.begin_merge() else { return };
        folding.merging = true;
        let view = Arc::downgrade(self);
        tokio::spawn(async move {
            let built = super::base::blocking(move || Ok((merge.build()?, merge))).await;
            let Some(view) = view.upgrade() else { return };
            let mut folding = view.folding.lock().await;
            folding.merging = false;
            match built {
                Ok((base, merge)) => {
                    let old = view.state.write().inbox.end_merge(&merge, base);
                    // Much memory to give back; not under the lock.
                    drop((old, merge));
                }
                Err(fault) => tracing::error!(workspace = %view.workspace, ?fault, "an inbox was not merged"),
            }
        });
    }
}

/// Folds events into their conversations' states.
pub(super) fn fold_rows(states: &mut HashMap<ConversationId, ConversationState>, rows: &[EventRow]) {
    for row in rows {
        if let Some(state) = row.event.conversation.and_then(|id| states.get_mut(&id)) {
            state.fold_row(row);
        }
    }
}
