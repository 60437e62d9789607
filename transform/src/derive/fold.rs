//! The pure steps of a window: rows become states, and states columns. Each may take a good part of a second of a core, so
//! it is not done where other tasks wait for the thread.
use arrow::{error::ArrowError, record_batch::RecordBatch};
use schemas::{
    amendment::Amendments,
    columns::{ConversationColumns, EventRow},
    conversation::ConversationState,
    ids::ConversationId,
    log::Offset,
    partition::PartitionDay,
    time::Millis,
};
use std::collections::{BTreeMap, HashMap};

/// Most states of one file.
const FILE_STATES: usize = 250_000;

/// The rows of a window, by conversation, each in the order of the log.
pub(super) struct Grouped {
    rows: HashMap<ConversationId, Vec<EventRow>>,
    amendments: Amendments,
}

impl Grouped {
    /// Groups rows in any order; `open` are the amendments that are not folded into files. Those of the rows are taken as
    /// well: they may be folded into the rows already, but the states have not seen them yet.
    pub fn of(mut all: Vec<EventRow>, open: Amendments) -> Self {
        all.sort_unstable_by_key(|row| row.offset);
        let (mut rows, mut amendments) = (HashMap::<_, Vec<_>>::new(), open);
        for row in all {
            amendments.add(&row.event);
            if let Some(conversation) = row.event.conversation {
                rows.entry(conversation).or_default().push(row);
            }
        }
        Self { rows, amendments }
    }

    /// Whose rows they are.
    pub fn conversations(&self) -> impl Iterator<Item = ConversationId> {
        self.rows.keys().copied()
    }

    /// Folds the rows below `to` into what is known of their conversations; the others begin here.
    pub fn fold(self, mut known: HashMap<ConversationId, ConversationState>, to: Offset) -> Folded {
        let fold = |(conversation, rows): (ConversationId, Vec<EventRow>)| {
            let first = &rows.first()?.event;
            let new = || ConversationState::new(conversation, first.connection, first.platform);
            let mut state = known.remove(&conversation).unwrap_or_else(new);
            let folded = state.version;
            for row in rows.iter().filter(|row| row.offset >= folded) {
                state.fold_row(row);
            }
            state.version = to.max(folded);
            Some(state)
        };
        Folded { states: self.rows.into_iter().filter_map(fold).collect(), amendments: self.amendments }
    }
}

/// The states of a window's conversations. A stale one has to be folded again from its whole history.
pub(super) struct Folded {
    pub states: Vec<ConversationState>,
    amendments: Amendments,
}

impl Folded {
    /// Applies the amendments and lets go of what lies before `cut`. By home day.
    pub fn homes(self, cut: Millis) -> BTreeMap<PartitionDay, Vec<ConversationState>> {
        let mut homes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for mut state in self.states {
            state.amend(&self.amendments);
            if state.expire(cut)
                && let Some(home) = state.home_day()
            {
                homes.entry(home).or_default().push(state);
            }
        }
        homes
    }
}

/// The rows of the files that hold the states of one home day, sorted by conversation.
pub(super) fn columns(mut states: Vec<ConversationState>) -> Result<Vec<RecordBatch>, ArrowError> {
    states.sort_unstable_by_key(|s| s.conversation);
    let of = |states: &[ConversationState]| {
        let mut columns = ConversationColumns::with_capacity(states.len());
        for state in states {
            columns.push(state)?;
        }
        columns.finish()
    };
    states.chunks(FILE_STATES).map(of).collect()
}
