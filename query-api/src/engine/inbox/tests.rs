use super::{
    hot::{Hot, Names, Wanted, shown},
    *,
};
use crate::engine::{
    items::status_at,
    retention::{CutDay, CutDays},
    types::{AssigneeFilter, Counts, InboxFilter, ShownStatus, Walk},
};
use proptest::prelude::*;
use schemas::{
    conversation::{
        Assigned, DayEntry,
        lifecycle::{Lifecycle, Status},
    },
    event::OrderKey,
    ids::{ConnectionId, EventId},
    kind::Platform,
    partition::PartitionDay,
    time::Millis,
};

const NOW: Millis = Millis(1000);
/// One is called like the word for nobody.
const AGENTS: [&str; 3] = ["alice", "none", "nowhere"];

fn state(n: u16, seed: u32) -> ConversationState {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&n.to_be_bytes());
    let connection = (seed % 3) as u8;
    let platform = [Platform::Line, Platform::Facebook, Platform::Shopee][usize::from(connection)];
    let mut state = ConversationState::new(ConversationId(id), ConnectionId([connection; 16]), platform);
    let at = Millis(i64::from(seed >> 8 & 63));
    state.last_activity_at = Some(at);
    state.days = vec![DayEntry { day: PartitionDay(0), messages: 1, before: Lifecycle::default() }];
    state.lifecycle.status = match seed >> 2 & 7 {
        0 | 1 => Status::None,
        2 | 3 => Status::Open,
        4 => Status::Closed { at },
        5 => Status::Snoozed { until: None },
        6 => Status::Snoozed { until: Some(Millis(1000)) },
        _ => Status::Snoozed { until: Some(Millis(1001)) },
    };
    if seed >> 5 & 1 == 1 {
        state.customer_at = vec![at];
    }
    if seed >> 6 & 1 == 1 {
        let key = OrderKey { at, seq: 0, id: EventId([0; 16]) };
        state.assigned = Some(Assigned { key, agent: Some(AGENTS[(seed >> 7 & 1) as usize].to_owned()), team: None });
    }
    state
}

fn takes(filter: &InboxFilter, state: &ConversationState) -> bool {
    takes_at(filter, state, NOW, Millis(0))
}

fn takes_at(filter: &InboxFilter, state: &ConversationState, now: Millis, cut: Millis) -> bool {
    let agent = state.assigned.as_ref().and_then(|a| a.agent.clone());
    filter.status.is_none_or(|s| s == status_at(&state.lifecycle, now))
        && filter.platform.is_none_or(|p| p == state.platform)
        && filter.connection.is_none_or(|c| c == state.connection)
        && filter.unread.is_none_or(|u| u == (state.unread(cut) > 0))
        && filter.assignee.as_ref().is_none_or(|a| match a {
            AssigneeFilter::Nobody => agent.is_none(),
            AssigneeFilter::Agent(name) => agent.as_ref() == Some(name),
        })
}

fn filters() -> impl Strategy<Value = InboxFilter> {
    let status = prop_oneof![Just(ShownStatus::Open), Just(ShownStatus::Snoozed), Just(ShownStatus::Closed)];
    let platform = prop_oneof![Just(Platform::Line), Just(Platform::Facebook), Just(Platform::Lazada)];
    let connection = (0u8..4).prop_map(|n| ConnectionId([n; 16]));
    let assignee = prop_oneof![
        Just(AssigneeFilter::Nobody),
        (0..3usize).prop_map(|n| AssigneeFilter::Agent(AGENTS[n].to_owned())),
    ];
    (
        prop::option::weighted(0.3, status),
        prop::option::weighted(0.3, platform),
        prop::option::weighted(0.3, connection),
        prop::option::weighted(0.3, any::<bool>()),
        prop::option::weighted(0.3, assignee),
    )
        .prop_map(|(status, platform, connection, unread, assignee)| InboxFilter {
            status,
            platform,
            connection,
            unread,
            assignee,
        })
}

/// What happens to an inbox: a conversation moves, or everything is merged (with a move while that goes on).
fn steps() -> impl Strategy<Value = Vec<(u16, u32, u8)>> {
    prop::collection::vec((0u16..170, any::<u32>(), 0u8..24), 0..240)
}

fn conversation(n: u8) -> ConversationId {
    ConversationId([n; 16])
}

/// What happens to an inbox over days, and questions about it at any instant and cut.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a few dozen of them in a test")]
enum Move {
    Put(ConversationState),
    Merge,
    Ask { now: Millis, cut: Millis, filter: InboxFilter, through: Option<(u8, Millis)> },
}

/// Quarters of an hour: a tally holds for an hour.
fn instant() -> impl Strategy<Value = Millis> {
    (0i64..400).prop_map(|n| Millis(n * 900_000))
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let put = (0u8..12, any::<u32>(), instant(), instant(), instant(), 0i32..5).prop_map(
        |(n, seed, at, unread, until, day)| {
            let mut state = state(0, seed);
            state.conversation = conversation(n);
            state.last_activity_at = (seed >> 9 & 7 != 0).then_some(at);
            state.days[0].day = PartitionDay(day);
            if !state.customer_at.is_empty() {
                state.customer_at = vec![unread.min(at)];
            }
            if matches!(state.lifecycle.status, Status::Snoozed { until: Some(_) }) {
                state.lifecycle.status = Status::Snoozed { until: Some(until) };
            }
            Move::Put(state)
        },
    );
    let ask = (instant(), instant(), filters(), prop::option::of((0u8..12, instant())))
        .prop_map(|(now, cut, filter, through)| Move::Ask { now, cut, filter, through });
    prop::collection::vec(prop_oneof![6 => put, 1 => Just(Move::Merge), 6 => ask], 0..80)
}

proptest! {
    #[test]
    fn pages_and_counts_are_those_of_the_sorted_whole(steps in steps(), filter in filters(), limit in 1usize..7) {
        let mut inbox = Inbox::default();
        let mut model: BTreeMap<ConversationId, ConversationState> = BTreeMap::new();
        for (n, seed, kind) in steps {
            let new = state(n, seed);
            let merge = (kind == 0).then(|| inbox.merge_all());
            model.insert(new.conversation, new.clone());
            inbox.put(new);
            if let Some(merge) = merge {
                let base = merge.build().expect("built");
                drop(inbox.end_merge(&merge, base));
            }
        }
        for (id, state) in &model {
            let held = inbox.state(*id).expect("read");
            prop_assert_eq!(held.as_ref(), Some(state));
        }
        prop_assert_eq!(inbox.overlay_bytes, inbox.overlay.values().map(|row| row.bytes).sum::<usize>());
        let mut expected: Vec<InboxPlace> = model.values().filter(|s| takes(&filter, s))
            .map(|s| Hot::of(s, &mut Names::default()).place).collect();
        expected.sort_by(|a, b| b.cmp(a));
        let days = CutDays::default();
        let wanted = Wanted::new(&filter, inbox.names(), NOW, Millis(0), &days);
        let counts = counts(&inbox, wanted.as_ref());
        prop_assert_eq!(counts.total, expected.len() as u64);
        prop_assert_eq!(counts.by_status.values().sum::<u64>(), counts.total);
        prop_assert_eq!(counts.by_connection.values().sum::<u64>(), counts.total);
        let of = |agent: Option<&str>| {
            let held = |s: &&ConversationState| s.assigned.as_ref().and_then(|a| a.agent.as_deref()) == agent;
            model.values().filter(|s| takes(&filter, s)).filter(held).count() as u64
        };
        prop_assert_eq!(counts.unassigned, of(None));
        for agent in AGENTS {
            prop_assert_eq!(counts.by_assignee.get(agent).copied().unwrap_or_default(), of(Some(agent)), "{}", agent);
        }
        prop_assert_eq!(counts.by_assignee.values().sum::<u64>() + counts.unassigned, counts.total);
        let unread = model.values().filter(|s| takes(&filter, s) && s.unread(Millis(0)) > 0).count();
        prop_assert_eq!(counts.unread, unread as u64);
        let Some(wanted) = wanted else { return Ok(()) };
        let place = |s: &ConversationState| Hot::of(s, &mut Names::default()).place;
        let (mut walked, mut walk) = (Vec::new(), Walk::Start);
        loop {
            let got = page(&inbox, &wanted, walk, limit).expect("a page");
            prop_assert_eq!(got.prev.is_some(), !walked.is_empty() && !got.items.is_empty());
            walked.extend(got.items.iter().map(place));
            match got.next {
                Some(next) => walk = Walk::After(next),
                None => break,
            }
        }
        prop_assert_eq!(&walked, &expected);
        for (at, from) in expected.iter().enumerate() {
            let got = page(&inbox, &wanted, Walk::Before(*from), limit).expect("a page");
            let start = at.saturating_sub(limit);
            prop_assert_eq!(got.items.iter().map(place).collect::<Vec<_>>(), &expected[start..at]);
            prop_assert_eq!(got.prev.is_some(), start > 0);
            prop_assert_eq!(got.next, expected[start..at].last().copied());
        }
    }

    #[test]
    fn counts_kept_while_it_moves_are_those_counted_anew(steps in moves()) {
        let mut inbox = Inbox::default();
        let mut model: BTreeMap<ConversationId, ConversationState> = BTreeMap::new();
        for step in steps {
            let (now, cut, filter, through) = match step {
                Move::Put(state) => {
                    model.insert(state.conversation, state.clone());
                    inbox.put(state);
                    continue;
                }
                Move::Merge => {
                    let merge = inbox.merge_all();
                    let base = merge.build().expect("built");
                    drop(inbox.end_merge(&merge, base));
                    continue;
                }
                Move::Ask { now, cut, filter, through } => (now, cut, filter, through),
            };
            let mut days = CutDays::default();
            if let Some((n, at)) = through {
                let mut counted = CutDay::default();
                counted.add(conversation(n), at, false);
                days.insert(PartitionDay::containing(at), counted);
            }
            let wanted = Wanted::new(&filter, inbox.names(), now, cut, &days);
            let mut expected = Counts {
                by_status: BTreeMap::from([("open", 0), ("snoozed", 0), ("closed", 0)]),
                ..Counts::default()
            };
            for state in model.values() {
                let hot = Hot::of(state, &mut Names::default());
                if !days.is_shown(state.conversation, hot.place.at, hot.newest_day, cut)
                    || !takes_at(&filter, state, now, cut)
                {
                    continue;
                }
                expected.total += 1;
                expected.unread += u64::from(state.unread(cut) > 0);
                *expected.by_status.entry(state.lifecycle.status.at(now)).or_default() += 1;
                *expected.by_platform.entry(state.platform.as_str()).or_default() += 1;
                *expected.by_connection.entry(state.connection.to_string()).or_default() += 1;
                let agent = state.assigned.as_ref().and_then(|a| a.agent.clone());
                match agent {
                    Some(agent) => *expected.by_assignee.entry(agent).or_default() += 1,
                    None => expected.unassigned += 1,
                }
            }
            prop_assert_eq!(counts(&inbox, wanted.as_ref()), expected);
        }
    }

    #[test]
    fn the_columns_tell_the_same_status_as_the_machine(seed: u32, now in 0i64..2000) {
        let state = state(1, seed);
        let hot = Hot::of(&state, &mut Names::default());
        prop_assert_eq!(shown(hot.status, hot.snoozed_until, Millis(now)), status_at(&state.lifecycle, Millis(now)));
    }
}

#[test]
fn what_moved_is_merged_by_its_bytes_and_not_by_its_number() {
    let named = |n: u16, bytes: usize| {
        let mut state = state(n, 0);
        let key = OrderKey { at: NOW, seq: 0, id: EventId([0; 16]) };
        state.name = Some((key, "n".repeat(bytes)));
        state
    };
    let mut inbox = Inbox::default();
    (0..100).for_each(|n| inbox.put(named(n, 10)));
    assert!(inbox.begin_merge().is_none());
    // The same one again takes no more.
    (0..100).for_each(|_| inbox.put(named(7, OVERLAY_MIN / 4)));
    assert!(inbox.begin_merge().is_none());
    (0..4).for_each(|n| inbox.put(named(n, OVERLAY_MIN / 4)));
    let merge = inbox.begin_merge().expect("is due");
    let base = merge.build().expect("built");
    drop(inbox.end_merge(&merge, base));
    assert_eq!((inbox.overlay_bytes, inbox.base.len()), (0, 100));
    // A larger base waits for more.
    (0..100).for_each(|n| inbox.put(named(n, OVERLAY_MIN / 10)));
    let merge = inbox.merge_all();
    let base = merge.build().expect("built");
    drop(inbox.end_merge(&merge, base));
    inbox.put(named(0, 2 * OVERLAY_MIN));
    assert!(inbox.memory() > inbox.base.memory() + 2 * OVERLAY_MIN && inbox.begin_merge().is_none());
    inbox.put(named(1, 2 * OVERLAY_MIN));
    assert!(inbox.begin_merge().is_some());
}

/// Not for a machine under load: `cargo test --release -- --ignored --nocapture a_million`.
#[test]
#[ignore = "a measurement"]
fn a_million_conversations() {
    let time = |what: &str, work: &mut dyn FnMut()| {
        let once = || {
            let start = std::time::Instant::now();
            work();
            start.elapsed()
        };
        let mut times: Vec<_> = std::iter::repeat_with(once).take(9).collect();
        times.sort();
        println!("{what}: median {:?}, slowest {:?}", times[4], times[8]);
    };
    let mut inbox = Inbox::default();
    let mut put = |n: u32| {
        let mut one = state(0, n.wrapping_mul(2_654_435_761));
        one.conversation.0[..4].copy_from_slice(&n.wrapping_mul(2_246_822_519).to_be_bytes());
        one.last_activity_at = Some(Millis(i64::from(n)));
        inbox.put(one);
    };
    (0..1_000_000).for_each(&mut put);
    let merge = inbox.merge_all();
    let mut base = None;
    time("build", &mut || base = merge.build().ok());
    if let Some(base) = base {
        drop(inbox.end_merge(&merge, base));
    }
    println!("{} MiB", inbox.memory() >> 20);
    let days = CutDays::default();
    let filter = InboxFilter { unread: Some(true), assignee: Some(AssigneeFilter::Nobody), ..InboxFilter::default() };
    for filter in [InboxFilter::default(), filter] {
        let wanted = Wanted::new(&filter, inbox.names(), NOW, Millis(0), &days).expect("known");
        time("counts", &mut || drop(counts(&inbox, Some(&wanted))));
        time("page", &mut || drop(page(&inbox, &wanted, Walk::Start, 50)));
    }
    let nothing = InboxFilter { platform: Some(Platform::Other), ..InboxFilter::default() };
    let wanted = Wanted::new(&nothing, inbox.names(), NOW, Millis(0), &days).expect("known");
    time("page of nothing", &mut || drop(page(&inbox, &wanted, Walk::Start, 50)));
}
