//! Counts of the inbox: sums over a [`Tally`].
use super::{
    Inbox,
    hot::{NOBODY, Wanted},
};
use crate::engine::types::{Counts, ShownStatus};
use schemas::kind::Platform;
use std::collections::BTreeMap;

/// The counts of the conversations that a filter takes; of nothing when no filter can be met.
pub(crate) fn counts(inbox: &Inbox, wanted: Option<&Wanted<'_>>) -> Counts {
    let names = inbox.names();
    let mut by = [[0; 2]; 3];
    let mut connections = vec![0; names.connections.len()];
    let mut agents = vec![0; names.agents.len() + 1];
    let mut platforms = [0; Platform::ALL.len()];
    if let Some(wanted) = wanted {
        inbox.with_tally(wanted, |tally| {
            for (group, n) in tally.taken(wanted) {
                by[status_number(group.status)][usize::from(group.unread)] += n;
                connections[group.connection as usize] += n;
                agents[group.assignee as usize] += n;
                platforms[usize::from(group.platform)] += n;
            }
        });
    }
    let named = |status: ShownStatus| by[status_number(status)].iter().sum();
    // Nobody has the number before the first member's.
    let (nobody, members) = agents.split_at(NOBODY as usize + 1);
    Counts {
        total: by.as_flattened().iter().sum(),
        unread: by.iter().map(|[_, unread]| unread).sum(),
        by_status: BTreeMap::from([
            ("open", named(ShownStatus::Open)),
            ("snoozed", named(ShownStatus::Snoozed)),
            ("closed", named(ShownStatus::Closed)),
        ]),
        by_platform: some(&platforms, |at| Platform::ALL[at].as_str()),
        by_connection: some(&connections, |at| names.connections[at].to_string()),
        by_assignee: some(members, |at| names.agents[at].clone()),
        unassigned: nobody.iter().sum(),
    }
}

fn status_number(status: ShownStatus) -> usize {
    match status {
        ShownStatus::Open => 0,
        ShownStatus::Snoozed => 1,
        ShownStatus::Closed => 2,
    }
}

/// Those that are not 0, named by their index.
fn some<K: Ord>(counts: &[u64], name: impl Fn(usize) -> K) -> BTreeMap<K, u64> {
    counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(at, n)| (name(at), *n)).collect()
}
