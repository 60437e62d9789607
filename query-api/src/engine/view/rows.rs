//! The messages of one conversation, from its days' files and the tail.
use super::{Pinned, View, tail::TailAuthors};
use crate::engine::{
    fault::Fault,
    retention::{DayAtCut, at_cut},
    weight::{Budget, TOGETHER, weight},
};
use schemas::{
    columns::{EventRow, read_events},
    conversation::ConversationState,
    event::{Amends, Change, FUTURE_TOLERANCE, OrderKey},
    ids::{ConversationId, EventId},
    kind::Kind,
    log::Offset,
    partition::PartitionDay,
    time::Millis,
};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use warehouse::file::ScanFilter;

/// Which way messages are walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// Newest first.
    Older,
    /// Oldest first.
    Newer,
}

/// One conversation at one instant: its days with how many messages each holds, and where they lie.
pub(crate) struct Thread {
    id: ConversationId,
    days: Vec<(PartitionDay, u32)>,
    pinned: Arc<Pinned>,
    tail: Vec<(Offset, PartitionDay)>,
    cut: Millis,
}

impl View {
    /// A conversation as it is now, with where its messages lie; `None` when there is no such conversation.
    pub fn thread(&self, id: ConversationId, cut: Millis) -> Result<Option<(ConversationState, Thread)>, Fault> {
        let state = self.state.read();
        let Some(conversation) = state.inbox.state(id)? else { return Ok(None) };
        let tail = state.tail.of_conversation(id).filter(|(_, entry)| entry.kind == Kind::Message);
        let tail = tail.map(|(offset, entry)| (offset, entry.day)).collect();
        let days = conversation.days.iter().map(|d| (d.day, d.messages));
        let days = days.filter(|(day, n)| *n > 0 && at_cut(*day, cut) != DayAtCut::Gone).collect();
        Ok(Some((conversation, Thread { id, days, pinned: state.pinned.clone(), tail, cut })))
    }

    /// Up to `most` messages beyond a place, nearest first, as amended; fewer where they are large. And whether there are
    /// more.
    pub async fn messages_from(
        &self,
        thread: &Thread,
        direction: Direction,
        from: Option<OrderKey>,
        most: usize,
    ) -> Result<(Vec<EventRow>, bool), Fault> {
        let mut days = thread.days.clone();
        if direction == Direction::Older {
            days.reverse();
        }
        days.retain(|(day, _)| from.is_none_or(|from| may_hold(*day, direction, from.at)));
        let mut nearest = Nearest { rows: Vec::new(), more: false };
        let mut left = days.as_slice();
        while !left.is_empty() {
            // One more than is wanted, which tells whether there are more.
            let (now, later) = left.split_at(enough_days(left, (most + 1).saturating_sub(nearest.rows.len())));
            left = later;
            let add = |mut read: Vec<EventRow>| {
                read.retain(|row| from.is_none_or(|from| beyond(row.event.order_key(), from, direction)));
                nearest.add(read, direction, most);
            };
            self.read_days(thread, now, add).await?;
            // A row is in its place for good once no day that is left can hold one before it.
            let next = left.first().map(|(day, _)| *day);
            let settled = |row: &EventRow| next.is_none_or(|day| is_settled(row.event.event_at, day, direction));
            if nearest.more && nearest.rows.last().is_none_or(settled) {
                break;
            }
        }
        let Nearest { mut rows, more } = nearest;
        self.amend(&mut rows);
        Ok((rows, more))
    }

    /// A message by its id, as amended.
    pub async fn message(&self, thread: &Thread, id: EventId) -> Result<Option<EventRow>, Fault> {
        let mut rows = Vec::new();
        let found = |read: Vec<EventRow>| rows.extend(read.into_iter().filter(|row| row.event.id == id));
        self.read_days(thread, &thread.days, found).await?;
        self.amend(&mut rows);
        Ok(rows.pop())
    }

    /// Applies what is known to have changed.
    pub fn amend(&self, rows: &mut [EventRow]) {
        let state = self.state.read();
        for row in rows {
            state.amendments.apply(row);
        }
    }

    /// Takes the text of edits that no longer hold though no open amendment says so: their message was taken back or
    /// edited anew, and that is folded into its row already. Only edits that are not folded themselves are looked up.
    pub async fn settle_edits(&self, pinned: &Pinned, rows: &mut [EventRow], cut: Millis) -> Result<(), Fault> {
        let open = |row: &EventRow| match &row.event.amends {
            Some(Amends { message, change: Change::Edit { text: Some(_), order } }) if !row.folded => {
                Some((*message, (Some(*order), Some(row.event.event_at), Some(row.event.id))))
            }
            _ => None,
        };
        let mut conversations: Vec<ConversationId> =
            rows.iter().filter(|row| open(row).is_some()).filter_map(|row| row.event.conversation).collect();
        conversations.sort_unstable();
        conversations.dedup();
        if conversations.is_empty() {
            return Ok(());
        }
        let mut days = BTreeSet::new();
        for conversation in &conversations {
            let state = self.state.read().inbox.state(*conversation)?;
            days.extend(state.iter().flat_map(|state| state.days.iter().map(|d| d.day)));
        }
        let files = pinned.events_of(|day| days.contains(&day) && at_cut(day, cut) != DayAtCut::Gone);
        let filter = ScanFilter { conversations, ..ScanFilter::default() };
        let folded: HashMap<EventId, _> = self
            .context
            .rows(self.workspace, &files, &filter)
            .await?
            .into_iter()
            .filter(|row| row.unsent_at.is_some() || row.edit_order.is_some())
            .map(|row| {
                let held = (row.edit_order, row.edited_at, row.edited_by);
                (row.event.id, (row.unsent_at.is_some(), held))
            })
            .collect();
        for row in rows {
            if let Some((message, rank)) = open(row)
                && let Some((unsent, held)) = folded.get(&message)
                && (*unsent || *held > rank)
            {
                row.blank();
            }
        }
        Ok(())
    }

    /// Gives the messages of some days to `take`, part by part.
    async fn read_days(
        &self,
        thread: &Thread,
        days: &[(PartitionDay, u32)],
        mut take: impl FnMut(Vec<EventRow>) + Send,
    ) -> Result<(), Fault> {
        let has = |day: PartitionDay| days.iter().any(|(d, _)| *d == day);
        let files = thread.pinned.events_of(has);
        let mut messages = |mut rows: Vec<EventRow>| {
            rows.retain(|row| row.event.kind == Kind::Message && row.event.event_at >= thread.cut);
            take(rows);
        };
        let mut slices = self.context.slices(self.workspace, files, &(thread.id..=thread.id), read_events);
        while let Some(rows) = slices.next().await? {
            messages(rows);
        }
        let offsets: Vec<Offset> = thread.tail.iter().filter(|(_, day)| has(*day)).map(|(offset, _)| *offset).collect();
        let mut offsets = offsets.as_slice();
        while !offsets.is_empty() {
            let (now, later) = offsets.split_at(self.slot.fitting(self.workspace, offsets, TOGETHER));
            // Messages only: no author amendment is among them.
            messages(self.open(now, &TailAuthors::default()).await?);
            offsets = later;
        }
        Ok(())
    }
}

/// The nearest of the messages that were read so far. What is left out of them stays out, whatever is read later: it can
/// only be pushed further away.
struct Nearest {
    rows: Vec<EventRow>,
    more: bool,
}

impl Nearest {
    /// Takes messages, and keeps the nearest `most` of all and about [`TOGETHER`] bytes.
    fn add(&mut self, read: Vec<EventRow>, direction: Direction, most: usize) {
        self.rows.extend(read);
        match direction {
            Direction::Newer => self.rows.sort_by_key(|row| row.event.order_key()),
            Direction::Older => self.rows.sort_by_key(|row| Reverse(row.event.order_key())),
        }
        let mut budget = Budget::new(TOGETHER);
        let fit = self.rows.iter().take(most).take_while(|row| budget.take(weight(row))).count();
        self.more |= fit < self.rows.len();
        self.rows.truncate(fit);
    }
}

/// How many of the next days to read at once: enough for what is wanted if all of it counts, and one more, as
/// neighbouring days overlap a little.
fn enough_days(days: &[(PartitionDay, u32)], wanted: usize) -> usize {
    let mut messages = 0;
    let counted = days.iter().position(|(_, n)| {
        messages += *n as usize;
        messages >= wanted
    });
    counted.map_or(days.len(), |at| (at + 2).min(days.len()))
}

fn beyond(key: OrderKey, from: OrderKey, direction: Direction) -> bool {
    match direction {
        Direction::Older => key < from,
        Direction::Newer => key > from,
    }
}

/// A day's events begin at its start and end up to [`FUTURE_TOLERANCE`] after its end.
fn may_hold(day: PartitionDay, direction: Direction, from: Millis) -> bool {
    match direction {
        Direction::Older => day.start() <= from,
        Direction::Newer => day.end() + FUTURE_TOLERANCE > from,
    }
}

fn is_settled(at: Millis, next: PartitionDay, direction: Direction) -> bool {
    match direction {
        Direction::Older => at >= next.end() + FUTURE_TOLERANCE,
        Direction::Newer => at < next.start(),
    }
}
