//! Counts kept as the inbox moves: how many conversations there are of each combination of what filters ask, so that
//! any count is a sum over combinations, however many conversations there are.
//!
//! What a conversation counts as also changes by itself: a snooze ends, and with the retention's cut a message stops
//! being unread and a conversation leaves the list. A tally therefore holds for a stretch of time. What changes within
//! it is kept apart and looked at one by one; after it, or when an instant lies before it, all is counted anew.
use super::hot::{CLOSED, Fields, Hot, SNOOZED, Wanted};
use crate::engine::{
    retention::{DayAtCut, at_cut},
    types::ShownStatus,
};
use schemas::{ids::ConversationId, time::Millis};
use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

/// How long a tally holds. Longer keeps more apart, shorter counts anew more often; both cost little.
const STRETCH: Duration = Duration::from_secs(3600);

/// One combination.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Group {
    pub connection: u32,
    pub assignee: u32,
    pub platform: u8,
    pub status: ShownStatus,
    pub unread: bool,
}

/// A stretch of instants, each with its cut; both ends belong to it.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    now: (Millis, Millis),
    cut: (Millis, Millis),
}

/// What a conversation counts as throughout a stretch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// The same all the time.
    Fixed(Group),
    /// Never shown again.
    Gone,
    /// It changes, or may.
    Open,
}

impl Stretch {
    fn covers(&self, now: Millis, cut: Millis) -> bool {
        self.now.0 <= now && now <= self.now.1 && self.cut.0 <= cut && cut <= self.cut.1
    }

    fn fate(&self, row: &impl Fields) -> Fate {
        let (now, cut) = (self.now, self.cut);
        if row.at() < cut.1 {
            let newest = row.newest_day();
            if row.at() < cut.0 && at_cut(newest, cut.0) == DayAtCut::Gone {
                return Fate::Gone;
            }
            // Shown without a look at single events only while its newest day is whole.
            if at_cut(newest, cut.1) != DayAtCut::Whole {
                return Fate::Open;
            }
        }
        let status = match row.status() {
            SNOOZED if row.snoozed_until() > now.1 => ShownStatus::Snoozed,
            SNOOZED if row.snoozed_until() > now.0 => return Fate::Open,
            CLOSED => ShownStatus::Closed,
            _ => ShownStatus::Open,
        };
        let unread = row.unread() >= cut.1;
        if !unread && row.unread() >= cut.0 {
            return Fate::Open;
        }
        let (connection, assignee, platform) = (row.connection(), row.assignee(), row.platform());
        Fate::Fixed(Group { connection, assignee, platform, status, unread })
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Tally {
    stretch: Stretch,
    groups: HashMap<Group, u64>,
    apart: HashMap<ConversationId, Hot>,
}

impl Tally {
    /// An empty one that holds from an instant and its cut on.
    pub fn at(now: Millis, cut: Millis) -> Self {
        let stretch = Stretch { now: (now, now + STRETCH), cut: (cut, cut + STRETCH) };
        Self { stretch, groups: HashMap::new(), apart: HashMap::new() }
    }

    /// True when it holds at an instant.
    pub fn covers(&self, now: Millis, cut: Millis) -> bool {
        self.stretch.covers(now, cut)
    }

    /// Takes a conversation in; `hot` gives all of it, where it has to be kept apart.
    #[inline]
    pub fn add(&mut self, row: &impl Fields, hot: impl FnOnce() -> Hot) {
        match self.stretch.fate(row) {
            Fate::Fixed(group) => *self.groups.entry(group).or_default() += 1,
            Fate::Gone => {}
            Fate::Open => drop(self.apart.insert(row.id(), hot())),
        }
    }

    /// Takes a conversation out, as it was taken in.
    pub fn remove(&mut self, hot: &Hot) {
        match self.stretch.fate(hot) {
            Fate::Fixed(group) => {
                if let Entry::Occupied(mut held) = self.groups.entry(group) {
                    *held.get_mut() -= 1;
                    if *held.get() == 0 {
                        held.remove();
                    }
                }
            }
            Fate::Gone => {}
            Fate::Open => drop(self.apart.remove(&hot.place.conversation)),
        }
    }

    /// The combinations that a filter takes, each with a number of conversations; a combination may come again.
    pub fn taken<'a>(&'a self, wanted: &'a Wanted<'a>) -> impl Iterator<Item = (Group, u64)> + 'a {
        let groups = self.groups.iter().filter(|(group, _)| wanted.takes_group(group)).map(|(group, n)| (*group, *n));
        let apart = self.apart.values().filter(|hot| wanted.takes(*hot)).map(|hot| (wanted.group(hot), 1));
        groups.chain(apart)
    }
}
