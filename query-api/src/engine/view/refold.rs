//! Lifecycles that an event came late for: folded again over the conversation's retained events.
use super::View;
use crate::engine::{
    fault::Fault,
    retention::{DayAtCut, at_cut},
    weight,
};
use futures::TryStreamExt;
use schemas::{
    columns::{EventRow, read_events},
    conversation::{ConversationState, Step},
    ids::ConversationId,
    log::Offset,
    partition::PartitionDay,
};
use std::collections::{BTreeSet, HashMap};
use warehouse::file::ScanFilter;

/// Conversations that are looked up in the files together …
const TOGETHER: usize = 256;
/// … and their messages, one conversation always. A [`Step`] is held of each, and of each other event between them.
const MESSAGES: u64 = 100_000;

impl View {
    /// Folds the stale ones of these states again; `rows` are events that neither files nor the tail's index hold yet.
    pub(super) async fn refold_stale(
        &self,
        states: &mut HashMap<ConversationId, ConversationState>,
        rows: &[EventRow],
    ) -> Result<(), Fault> {
        let stale = |s: &&ConversationState| s.stale;
        let stale: Vec<_> = states.values().filter(stale).map(|s| (s.conversation, messages(s))).collect();
        let (_, cut) = self.now_and_cut();
        for stale in groups(&stale) {
            let ids: Vec<ConversationId> = stale.iter().map(|(id, _)| *id).collect();
            let mut steps = Steps::default();
            self.history(&ids, states, &mut steps).await?;
            steps.add(rows, |id| ids.contains(&id));
            for id in ids {
                if let Some(state) = states.get_mut(&id) {
                    state.refold_steps(cut, steps.0.remove(&id).unwrap_or_default());
                }
            }
        }
        Ok(())
    }

    /// All events of some conversations that are known so far. Their content is let go batch by batch: a history may
    /// have any size.
    async fn history(
        &self,
        ids: &[ConversationId],
        states: &HashMap<ConversationId, ConversationState>,
        steps: &mut Steps,
    ) -> Result<(), Fault> {
        // Days wholly before the cut count for nothing, and their keys may be gone while their rows are not yet.
        let (_, cut) = self.now_and_cut();
        let days: BTreeSet<PartitionDay> = ids
            .iter()
            .filter_map(|id| states.get(id))
            .flat_map(|s| s.days.iter().map(|d| d.day))
            .filter(|day| at_cut(*day, cut) != DayAtCut::Gone)
            .collect();
        let (pinned, mut offsets, authors) = {
            let state = self.state.read();
            let of =
                |id: &ConversationId| state.tail.of_conversation(*id).map(|(offset, _)| offset).collect::<Vec<_>>();
            let offsets: Vec<Offset> = ids.iter().flat_map(of).collect();
            (state.pinned.clone(), offsets, state.tail.authors())
        };
        offsets.sort_unstable();
        let files = pinned.events_of(|day| days.contains(&day));
        if !files.is_empty() {
            let filter = ScanFilter { conversations: ids.to_vec(), ..ScanFilter::default() };
            let mut stream = self.context.files.scan(self.workspace, &files, &filter, None).await?;
            while let Some(batch) = stream.try_next().await? {
                steps.add(&read_events(&batch)?, |_| true);
            }
        }
        let mut offsets = offsets.as_slice();
        while !offsets.is_empty() {
            let (now, later) = offsets.split_at(self.slot.fitting(self.workspace, offsets, weight::TOGETHER).max(1));
            steps.add(&self.open(now, &authors).await?, |_| true);
            offsets = later;
        }
        Ok(())
    }
}

/// What histories come down to.
#[derive(Default)]
struct Steps(HashMap<ConversationId, Vec<Step>>);

impl Steps {
    fn add(&mut self, rows: &[EventRow], wanted: impl Fn(ConversationId) -> bool) {
        for event in rows.iter().map(|row| &row.event) {
            if let Some(id) = event.conversation.filter(|id| wanted(*id)) {
                self.0.entry(id).or_default().push(Step::of(event));
            }
        }
    }
}

fn messages(state: &ConversationState) -> u64 {
    state.days.iter().map(|day| u64::from(day.messages)).sum()
}

/// Cuts conversations, each with its number of messages, into groups that are read together.
fn groups(mut stale: &[(ConversationId, u64)]) -> impl Iterator<Item = &[(ConversationId, u64)]> {
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = |(_, messages): &&(ConversationId, u64)| {
            sum += messages;
            sum <= MESSAGES
        };
        let fitting = stale.iter().take(TOGETHER).take_while(fits).count().max(1);
        let (group, rest) = stale.split_at_checked(fitting)?;
        stale = rest;
        Some(group)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_a_bounded_number_of_messages_and_leave_nobody_out() {
        let id = |n: u16| ConversationId([n.to_be_bytes()[0]; 16]);
        let sizes = |messages: &[u64]| {
            let stale: Vec<_> = messages.iter().zip(0..).map(|(n, at)| (id(at), *n)).collect();
            groups(&stale).map(<[_]>::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[MESSAGES * 5]), [1]);
        assert_eq!(sizes(&[1, MESSAGES * 5, 1, 1]), [1, 1, 2]);
        assert_eq!(sizes(&[MESSAGES / 2; 5]), [2, 2, 1]);
        assert_eq!(sizes(&[1; 600]), [256, 256, 88]);
    }
}
