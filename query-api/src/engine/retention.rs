//! What is retained at an instant. A partition day is whole, gone, or the cut goes through it; then its events are
//! counted one by one ([`CutDay`]). Pure.
use schemas::{
    conversation::ConversationState, event::FUTURE_TOLERANCE, ids::ConversationId, partition::PartitionDay,
    time::Millis,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// How a day lies to the cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DayAtCut {
    /// All of its events are retained.
    Whole,
    /// Some may be.
    Through,
    /// None is.
    Gone,
}

/// A day's events begin at its start; they end a little after its end, as the day is that of the earlier of event time
/// and receive time, and the event time may be ahead.
pub(super) fn at_cut(day: PartitionDay, cut: Millis) -> DayAtCut {
    if day.start() >= cut {
        DayAtCut::Whole
    } else if day.end() + FUTURE_TOLERANCE <= cut {
        DayAtCut::Gone
    } else {
        DayAtCut::Through
    }
}

/// The days that a cut goes through: one, or two shortly after midnight.
pub(super) fn days_through(cut: Millis) -> impl Iterator<Item = PartitionDay> {
    let day = PartitionDay::containing(cut);
    [PartitionDay(day.0 - 1), day].into_iter().filter(move |d| at_cut(*d, cut) == DayAtCut::Through)
}

/// When the events of one day happened, by conversation.
#[derive(Clone, Debug, Default)]
pub(super) struct CutDay {
    times: HashMap<ConversationId, Vec<(Millis, bool)>>,
    events: usize,
}

impl CutDay {
    /// Notes an event.
    pub fn add(&mut self, conversation: ConversationId, at: Millis, is_message: bool) {
        let times = self.times.entry(conversation).or_default();
        let place = times.partition_point(|(held, _)| *held <= at);
        times.insert(place, (at, is_message));
        self.events += 1;
    }

    fn retained(&self, conversation: ConversationId, cut: Millis) -> &[(Millis, bool)] {
        let Some(times) = self.times.get(&conversation) else { return &[] };
        &times[times.partition_point(|(at, _)| *at < cut)..]
    }
}

/// The days that were counted, of one view.
#[derive(Clone, Debug, Default)]
pub(super) struct CutDays(BTreeMap<PartitionDay, Arc<CutDay>>);

impl CutDays {
    /// True when a day has been counted.
    pub fn has(&self, day: PartitionDay) -> bool {
        self.0.contains_key(&day)
    }

    /// Keeps a counted day, and forgets those before it: cuts only move on.
    pub fn insert(&mut self, day: PartitionDay, counted: CutDay) {
        self.0.insert(day, Arc::new(counted));
        self.0.retain(|held, _| held.0 + 2 > day.0);
    }

    /// Notes an event that came after its day was counted.
    pub fn add(&mut self, day: PartitionDay, conversation: ConversationId, at: Millis, is_message: bool) {
        if let Some(counted) = self.0.get_mut(&day) {
            Arc::make_mut(counted).add(conversation, at, is_message);
        }
    }

    /// Bytes of memory, about.
    pub fn memory(&self) -> usize {
        self.0.values().map(|counted| counted.times.len() * 112 + counted.events * 24).sum()
    }

    /// True when a conversation has events in days that the cut goes through, after the cut.
    pub fn any(&self, conversation: ConversationId, cut: Millis) -> bool {
        self.0.iter().any(|(day, counted)| {
            at_cut(*day, cut) == DayAtCut::Through && !counted.retained(conversation, cut).is_empty()
        })
    }

    /// Messages of a conversation that are retained.
    pub fn message_count(&self, state: &ConversationState, cut: Millis) -> u64 {
        let of_day = |day: PartitionDay, whole: u32| match at_cut(day, cut) {
            DayAtCut::Whole => u64::from(whole),
            DayAtCut::Gone => 0,
            DayAtCut::Through => self.0.get(&day).map_or(0, |counted| {
                counted.retained(state.conversation, cut).iter().filter(|(_, is_message)| *is_message).count() as u64
            }),
        };
        state.days.iter().map(|d| of_day(d.day, d.messages)).sum()
    }

    /// True when anything of a conversation is retained, told by its newest activity and its newest day.
    pub fn is_shown(&self, conversation: ConversationId, at: Millis, newest: PartitionDay, cut: Millis) -> bool {
        at >= cut
            || match at_cut(newest, cut) {
                DayAtCut::Whole => true,
                DayAtCut::Gone => false,
                DayAtCut::Through => self.any(conversation, cut),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::{conversation::DayEntry, ids::ConnectionId, kind::Platform};

    const A: ConversationId = ConversationId([1; 16]);

    #[test]
    fn a_day_is_whole_until_its_start_and_gone_ten_minutes_after_its_end() {
        let day = PartitionDay(100);
        assert_eq!(at_cut(day, day.start()), DayAtCut::Whole);
        assert_eq!(at_cut(day, Millis(day.start().0 + 1)), DayAtCut::Through);
        assert_eq!(at_cut(day, Millis(day.end().0 + 599_999)), DayAtCut::Through);
        assert_eq!(at_cut(day, Millis(day.end().0 + 600_000)), DayAtCut::Gone);
        assert_eq!(days_through(day.start()).collect::<Vec<_>>(), [PartitionDay(99)]);
        assert_eq!(days_through(Millis(day.start().0 + 1)).collect::<Vec<_>>(), [PartitionDay(99), day]);
        assert_eq!(days_through(Millis(day.start().0 + 600_000)).collect::<Vec<_>>(), [day]);
    }

    #[test]
    fn counts_are_exact_to_the_instant() {
        let (day, later) = (PartitionDay(100), PartitionDay(103));
        let at = |ms: i64| Millis(day.start().0 + ms);
        let mut counted = CutDay::default();
        for ms in [3_600_000, 7_200_000, 7_200_000, 9_000_000] {
            counted.add(A, at(ms), true);
        }
        counted.add(A, at(8_000_000), false);
        let mut days = CutDays::default();
        days.insert(day, counted);
        let mut state = ConversationState::new(A, ConnectionId([2; 16]), Platform::Line);
        let before = state.lifecycle;
        state.days = vec![DayEntry { day, messages: 4, before }, DayEntry { day: later, messages: 5, before }];
        assert_eq!(days.message_count(&state, day.start()), 9);
        assert_eq!(days.message_count(&state, at(3_600_001)), 8);
        assert_eq!(days.message_count(&state, at(7_200_000)), 8);
        assert_eq!(days.message_count(&state, at(7_200_001)), 6);
        assert_eq!(days.message_count(&state, at(9_000_001)), 5);
        assert!(days.is_shown(A, at(0), day, at(9_000_000)));
        assert!(!days.is_shown(A, at(0), day, at(9_000_001)));
    }
}
