//! Lifecycles that an event came late for: folded again over the conversation's retained events.
use super::View;
use crate::engine::fault::Fault;
use schemas::{
    columns::EventRow, conversation::ConversationState, event::Event, ids::ConversationId, log::Offset,
    partition::PartitionDay,
};
use std::collections::{BTreeSet, HashMap};
use warehouse::file::ScanFilter;

/// Conversations that are looked up in the files together.
const TOGETHER: usize = 256;

impl View {
    /// Folds the stale ones of these states again; `rows` are events that neither files nor the tail's index hold yet.
    pub(super) async fn refold_stale(
        &self,
        states: &mut HashMap<ConversationId, ConversationState>,
        rows: &[EventRow],
    ) -> Result<(), Fault> {
        let stale: Vec<ConversationId> = states.values().filter(|s| s.stale).map(|s| s.conversation).collect();
        let (_, cut) = self.now_and_cut();
        for stale in stale.chunks(TOGETHER) {
            let history = self.history(stale, states).await?;
            let mut by_conversation: HashMap<ConversationId, Vec<&Event>> = HashMap::new();
            for event in history.iter().chain(rows).map(|row| &row.event) {
                if let Some(id) = event.conversation {
                    by_conversation.entry(id).or_default().push(event);
                }
            }
            for id in stale {
                if let Some(state) = states.get_mut(id) {
                    state.refold(cut, by_conversation.remove(id).unwrap_or_default());
                }
            }
        }
        Ok(())
    }

    /// All events of some conversations that are known so far.
    async fn history(
        &self,
        ids: &[ConversationId],
        states: &HashMap<ConversationId, ConversationState>,
    ) -> Result<Vec<EventRow>, Fault> {
        let days: BTreeSet<PartitionDay> =
            ids.iter().filter_map(|id| states.get(id)).flat_map(|s| s.days.iter().map(|d| d.day)).collect();
        let (pinned, mut offsets, authors) = {
            let state = self.state.read();
            let of =
                |id: &ConversationId| state.tail.of_conversation(*id).map(|(offset, _)| offset).collect::<Vec<_>>();
            let offsets: Vec<Offset> = ids.iter().flat_map(of).collect();
            (state.pinned.clone(), offsets, state.tail.authors())
        };
        offsets.sort_unstable();
        let files = pinned.events_of(|day| days.contains(&day));
        let filter = ScanFilter { conversations: ids.to_vec(), ..ScanFilter::default() };
        let mut rows = self.context.rows(self.workspace, &files, &filter).await?;
        rows.extend(self.open(&offsets, &authors).await?);
        Ok(rows)
    }
}
