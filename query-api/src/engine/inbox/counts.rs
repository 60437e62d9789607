//! Counts of the inbox: one pass over the columns.
use super::{
    Inbox,
    base::BaseRow,
    hot::{Fields, NOBODY, Wanted, shown},
};
use crate::engine::types::{Counts, ShownStatus};
use schemas::kind::Platform;
use std::collections::BTreeMap;

/// Sums by small numbers, which cost nothing to look up.
struct Sums {
    status_and_unread: [u64; 6],
    connections: Vec<u64>,
    agents: Vec<u64>,
}

impl Sums {
    #[inline]
    fn add(&mut self, wanted: &Wanted<'_>, row: &impl Fields) {
        let status = match shown(row.status(), row.snoozed_until(), wanted.now) {
            ShownStatus::Open => 0,
            ShownStatus::Snoozed => 1,
            ShownStatus::Closed => 2,
        };
        self.status_and_unread[status * 2 + usize::from(row.unread() >= wanted.cut)] += 1;
        self.connections[row.connection() as usize] += 1;
        self.agents[row.assignee() as usize] += 1;
    }
}

/// The counts of the conversations that a filter takes; of nothing when no filter can be met.
pub(crate) fn counts(inbox: &Inbox, wanted: Option<&Wanted<'_>>) -> Counts {
    let names = inbox.names();
    let mut sums = Sums {
        status_and_unread: [0; 6],
        connections: vec![0; names.connections.len()],
        agents: vec![0; names.agents.len() + 1],
    };
    if let Some(wanted) = wanted {
        for row in 0..inbox.base.len() {
            let row = BaseRow(&inbox.base, row);
            if wanted.takes(&row) && !inbox.is_moved(row.1) {
                sums.add(wanted, &row);
            }
        }
        for row in inbox.overlay.values().filter(|row| wanted.takes(&row.hot)) {
            sums.add(wanted, &row.hot);
        }
    }
    let by = &sums.status_and_unread;
    let mut by_platform: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut by_connection = BTreeMap::new();
    for ((id, platform), n) in names.connections.iter().zip(&sums.connections).filter(|(_, n)| **n > 0) {
        *by_platform.entry(Platform::as_str(*platform)).or_default() += n;
        by_connection.insert(id.to_string(), *n);
    }
    // Nobody has the number before the first member's.
    let (nobody, members) = sums.agents.split_at(NOBODY as usize + 1);
    let members = names.agents.iter().zip(members).filter(|(_, n)| **n > 0);
    Counts {
        total: by.iter().sum(),
        unread: by[1] + by[3] + by[5],
        by_status: BTreeMap::from([("open", by[0] + by[1]), ("snoozed", by[2] + by[3]), ("closed", by[4] + by[5])]),
        by_platform,
        by_connection,
        by_assignee: members.map(|(member, n)| (member.clone(), *n)).collect(),
        unassigned: nobody.iter().sum(),
    }
}
