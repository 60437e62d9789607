//! What a filter or a count asks of a conversation, and which conversations a filter takes.
use super::tally::Group;
use crate::engine::{
    retention::CutDays,
    types::{AssigneeFilter, InboxFilter, InboxPlace, ShownStatus},
};
use schemas::{
    conversation::{ConversationState, Sketch, lifecycle::Status},
    ids::{ConnectionId, ConversationId},
    kind::Platform,
    partition::PartitionDay,
    time::Millis,
};
use std::collections::HashMap;

/// Status column: what the machine says, leaving the end of a snooze aside.
pub(crate) const CLOSED: u8 = 0;
/// See [`CLOSED`].
pub(crate) const OPEN: u8 = 1;
/// See [`CLOSED`]; whether it still holds says the column of snooze ends.
pub(crate) const SNOOZED: u8 = 2;
/// Assigned to nobody.
pub(crate) const NOBODY: u32 = 0;
/// Never: the end of a snooze without end, or before the first unread message.
pub(crate) const NEVER: Millis = Millis(i64::MAX);
const NO_UNREAD: Millis = Millis(i64::MIN);

/// The fields of a conversation that filters and counts look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hot {
    pub place: InboxPlace,
    pub status: u8,
    pub snoozed_until: Millis,
    /// The newest unread message; before all time when there is none.
    pub unread: Millis,
    pub platform: u8,
    pub connection: u32,
    pub assignee: u32,
    pub newest_day: PartitionDay,
}

/// The same, one by one: a row of columns reads only what it is asked for.
pub(crate) trait Fields {
    fn id(&self) -> ConversationId;
    fn at(&self) -> Millis;
    fn status(&self) -> u8;
    fn snoozed_until(&self) -> Millis;
    fn unread(&self) -> Millis;
    fn platform(&self) -> u8;
    fn connection(&self) -> u32;
    fn assignee(&self) -> u32;
    fn newest_day(&self) -> PartitionDay;
}

impl Fields for Hot {
    fn id(&self) -> ConversationId {
        self.place.conversation
    }
    fn at(&self) -> Millis {
        self.place.at
    }
    fn status(&self) -> u8 {
        self.status
    }
    fn snoozed_until(&self) -> Millis {
        self.snoozed_until
    }
    fn unread(&self) -> Millis {
        self.unread
    }
    fn platform(&self) -> u8 {
        self.platform
    }
    fn connection(&self) -> u32 {
        self.connection
    }
    fn assignee(&self) -> u32 {
        self.assignee
    }
    fn newest_day(&self) -> PartitionDay {
        self.newest_day
    }
}

/// Connections and agents of a workspace as small numbers.
#[derive(Clone, Default, Debug)]
pub(crate) struct Names {
    pub connections: Vec<ConnectionId>,
    pub agents: Vec<String>,
    connection_at: HashMap<ConnectionId, u32>,
    agent_at: HashMap<String, u32>,
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Names {
    fn connection(&mut self, id: ConnectionId) -> u32 {
        *self.connection_at.entry(id).or_insert_with(|| {
            self.connections.push(id);
            number(self.connections.len() - 1)
        })
    }

    /// Numbers begin after [`NOBODY`].
    fn agent(&mut self, name: &str) -> u32 {
        if let Some(at) = self.agent_at.get(name) {
            return *at;
        }
        self.agents.push(name.to_owned());
        let at = number(self.agents.len());
        self.agent_at.insert(name.to_owned(), at);
        at
    }

    /// Takes in the names of another, and says which number each of its numbers is here.
    pub fn absorb(&mut self, other: &Self) -> Numbers {
        Numbers {
            connections: other.connections.iter().map(|id| self.connection(*id)).collect(),
            agents: other.agents.iter().map(|name| self.agent(name)).collect(),
        }
    }
}

/// Which numbers those of one part are in the whole.
pub(crate) struct Numbers {
    connections: Vec<u32>,
    agents: Vec<u32>,
}

impl Numbers {
    /// Gives a row of the part the numbers of the whole.
    pub fn renumber(&self, hot: &mut Hot) {
        let at = |numbers: &[u32], n: u32| numbers.get(n as usize).copied();
        hot.connection = at(&self.connections, hot.connection).unwrap_or(hot.connection);
        if let Some(agent) = hot.assignee.checked_sub(NOBODY + 1).and_then(|n| at(&self.agents, n)) {
            hot.assignee = agent;
        }
    }
}

impl Hot {
    /// Of a state.
    pub fn of(state: &ConversationState, names: &mut Names) -> Self {
        Self::of_sketch(&Sketch::of(state), names)
    }

    /// Of what was read of a state.
    pub fn of_sketch(state: &Sketch<'_>, names: &mut Names) -> Self {
        let newest_day = state.newest_day.unwrap_or(PartitionDay(i32::MIN));
        let at = state.last_activity_at.unwrap_or_else(|| newest_day.start());
        let (status, snoozed_until) = match state.status {
            Status::None | Status::Closed { .. } => (CLOSED, NEVER),
            Status::Open => (OPEN, NEVER),
            Status::Snoozed { until } => (SNOOZED, until.unwrap_or(NEVER)),
        };
        let unread = state.customer_at.filter(|at| state.seen_at.is_none_or(|seen| *at > seen));
        Self {
            place: InboxPlace { at, conversation: state.conversation },
            status,
            snoozed_until,
            unread: unread.unwrap_or(NO_UNREAD),
            platform: platform_number(state.platform),
            connection: names.connection(state.connection),
            assignee: state.agent.map_or(NOBODY, |a| names.agent(a)),
            newest_day,
        }
    }
}

fn platform_number(platform: Platform) -> u8 {
    platform as u8
}

/// The status column's word at an instant.
pub(crate) fn shown(status: u8, snoozed_until: Millis, now: Millis) -> ShownStatus {
    match status {
        SNOOZED if snoozed_until > now => ShownStatus::Snoozed,
        CLOSED => ShownStatus::Closed,
        _ => ShownStatus::Open,
    }
}

/// A filter in numbers, at an instant.
pub(crate) struct Wanted<'a> {
    pub status: Option<ShownStatus>,
    pub platform: Option<u8>,
    pub connection: Option<u32>,
    pub assignee: Option<u32>,
    pub unread: Option<bool>,
    pub now: Millis,
    pub cut: Millis,
    pub days: &'a CutDays,
}

impl<'a> Wanted<'a> {
    /// `None` when nothing can meet the filter: its connection or agent was never seen.
    pub fn new(filter: &InboxFilter, names: &Names, now: Millis, cut: Millis, days: &'a CutDays) -> Option<Self> {
        let connection = match filter.connection {
            Some(id) => Some(*names.connection_at.get(&id)?),
            None => None,
        };
        let assignee = match &filter.assignee {
            Some(AssigneeFilter::Agent(name)) => Some(*names.agent_at.get(name)?),
            Some(AssigneeFilter::Nobody) => Some(NOBODY),
            None => None,
        };
        Some(Self {
            status: filter.status,
            platform: filter.platform.map(platform_number),
            connection,
            assignee,
            unread: filter.unread,
            now,
            cut,
            days,
        })
    }

    /// True for a conversation that is to be shown; only the columns that the filter names are looked at.
    #[inline]
    pub fn takes(&self, row: &impl Fields) -> bool {
        self.platform.is_none_or(|p| p == row.platform())
            && self.connection.is_none_or(|c| c == row.connection())
            && self.assignee.is_none_or(|a| a == row.assignee())
            && self.unread.is_none_or(|unread| unread == (row.unread() >= self.cut))
            && self.status.is_none_or(|s| s == shown(row.status(), row.snoozed_until(), self.now))
            && (row.at() >= self.cut || self.days.is_shown(row.id(), row.at(), row.newest_day(), self.cut))
    }
    /// The same of a combination whose conversations are all shown.
    pub(super) fn takes_group(&self, group: &Group) -> bool {
        self.platform.is_none_or(|p| p == group.platform)
            && self.connection.is_none_or(|c| c == group.connection)
            && self.assignee.is_none_or(|a| a == group.assignee)
            && self.unread.is_none_or(|unread| unread == group.unread)
            && self.status.is_none_or(|s| s == group.status)
    }

    /// The combination that a conversation counts as.
    pub(super) fn group(&self, row: &impl Fields) -> Group {
        Group {
            connection: row.connection(),
            assignee: row.assignee(),
            platform: row.platform(),
            status: shown(row.status(), row.snoozed_until(), self.now),
            unread: row.unread() >= self.cut,
        }
    }
}
