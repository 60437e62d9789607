//! Inbox, counts and one conversation at size, on real files: `cargo bench --bench engine`. Prints one line per
//! measure; `infra/docs/benchmarks.md` keeps what was seen, with its conditions.
#![allow(clippy::expect_used, reason = "a bench that cannot set up has nothing to measure")]
#[path = "../transform/tests/support/mod.rs"]
mod support;

use query_api::engine::{
    Engine, EngineMetrics, EngineOptions, EngineSettings,
    types::{AssigneeFilter, InboxFilter, Order, ShownStatus, Walk},
};
use schemas::{
    clock::SystemClock,
    columns::{ConversationColumns, EventColumns, EventRow},
    conversation::ConversationState,
    ids::{ConnectionId, ConversationId},
    kind::Platform,
    log::Offset,
    partition::{PartitionDay, RetentionClass, Table},
    time::Millis,
};
use std::{collections::BTreeMap, time::Instant};
use support::{House, message};
use warehouse::{
    catalog::{LandCommit, Outcome, Replacement},
    file::NewFile,
    registry::Workspace,
};

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const DAY_MILLIS: i64 = 86_400_000;

fn id(n: u64) -> ConversationId {
    let mut bytes = [0; 16];
    // Spread as keyed hashes are.
    bytes[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    ConversationId(bytes)
}

fn percentile(sorted: &[f64], p: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * p).round() as usize]
}

async fn measure<F: Future<Output = ()>>(name: &str, runs: usize, mut run: impl FnMut(usize) -> F) {
    let mut times = Vec::new();
    for n in 0..runs {
        let begun = Instant::now();
        run(n).await;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    println!("{name}: p50 {:.2} ms, p99 {:.2} ms ({runs} runs)", percentile(&times, 0.5), percentile(&times, 0.99));
}

/// A conversation with one message, as `derive` leaves it.
fn state(n: u64, now: Millis) -> ConversationState {
    let at = Millis(now.0 - i64::try_from(n % 20_000_000).expect("small") * 1000);
    let mut event = message(u32::try_from(n).expect("small"), 0, at);
    event.conversation = Some(id(n));
    let mut state =
        ConversationState::new(id(n), ConnectionId([u8::try_from(n % 20).expect("small"); 16]), Platform::Line);
    state.fold(&event);
    state.version = Offset(1);
    state
}

async fn write_inbox(house: &House, workspace: &Workspace, conversations: u64, now: Millis) {
    let mut homes: BTreeMap<PartitionDay, Vec<ConversationState>> = BTreeMap::new();
    for n in 0..conversations {
        let state = state(n, now);
        homes.entry(state.home_day().expect("a day")).or_default().push(state);
    }
    let mut add = Vec::new();
    for (day, mut states) in homes {
        states.sort_by_key(|s| s.conversation);
        let mut columns = ConversationColumns::with_capacity(states.len());
        states.iter().for_each(|s| columns.push(s).expect("pushed"));
        let target = NewFile {
            workspace: workspace.id,
            slot: workspace.slot,
            table: Table::Conversations,
            day,
            class: RetentionClass::STANDARD,
        };
        add.push(house.files.write(target, vec![columns.finish().expect("a batch")]).await.expect("written"));
    }
    let lease = house.catalog.take_lease("bench", "bench", now, Millis(now.0 + 1)).await.expect("asked").expect("free");
    let derived = vec![(workspace.id, Offset(0))];
    let (slot, remove) = (workspace.slot, Vec::new());
    house.catalog.replace(Replacement { lease, slot, remove, add, derived, at: now }).await.expect("committed");
}

/// `total` messages over 60 days, one in `every` of them in conversation 0.
async fn write_history(house: &House, workspace: &Workspace, total: u64, every: u64, now: Millis) {
    let days = 60;
    let per_day = total / days;
    let generation = house.catalog.take_slot(workspace.slot, "bench").await.expect("taken");
    let mut from = Offset(0);
    for day in 0..days {
        let start = PartitionDay::containing(now).start().0 - i64::try_from(days - day).expect("small") * DAY_MILLIS;
        let mut rows: Vec<EventRow> = (0..per_day)
            .map(|n| {
                let number = day * per_day + n;
                let at = Millis(start + i64::try_from(n * 86_400_000 / per_day).expect("small"));
                let mut event = message(u32::try_from(number).expect("small"), 0, at);
                event.conversation = Some(id(if number.is_multiple_of(every) { 0 } else { 1 + number % 50_000 }));
                EventRow::new(Offset(number), event)
            })
            .collect();
        rows.sort_by_key(|r| (r.event.conversation, r.event.order_key()));
        let mut columns = EventColumns::with_capacity(rows.len());
        rows.iter().for_each(|r| columns.push(r).expect("pushed"));
        let target = NewFile {
            workspace: workspace.id,
            slot: workspace.slot,
            table: Table::Events,
            day: PartitionDay::containing(Millis(start)),
            class: RetentionClass::STANDARD,
        };
        let file = house.files.write(target, vec![columns.finish().expect("a batch")]).await.expect("written");
        let to = Offset(from.0 + per_day);
        let totals = vec![(workspace.id, Outcome::Committed, per_day)];
        let commit = LandCommit { generation, from, to, add: vec![file], claimed: Vec::new(), totals, at: now };
        house.catalog.commit_land(commit).await.expect("committed");
        from = to;
    }
}

async fn engine(house: &House) -> Engine {
    let options = EngineOptions {
        log: house.log.clone(),
        keyring: house.keyring.clone(),
        catalog: house.catalog.clone(),
        files: house.files.clone(),
        duplicates: house.duplicates.clone(),
        registry: house.registry.clone(),
        clock: house.clock.clone(),
        settings: EngineSettings { index_bytes: 1 << 30, ..EngineSettings::default() },
        metrics: EngineMetrics::register(&mut prometheus_client::registry::Registry::default()),
    };
    let (engine, tasks) = Engine::start(options).await.expect("an engine");
    tokio::spawn(tasks.run(std::future::pending()));
    engine
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|l| l.starts_with("VmRSS")).expect("rss");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number") / 1024
}

#[tokio::main]
async fn main() {
    let now = schemas::clock::Clock::now(&SystemClock);
    let house = House::new(now).await;
    let inbox = house.workspace("inbox", None).await;
    let history = house.workspace("history", None).await;
    let conversations = std::env::var("CONVERSATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let messages = std::env::var("MESSAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000_000);
    write_inbox(&house, &inbox, conversations, now).await;
    write_history(&house, &history, messages, 300, now).await;
    println!("{conversations} conversations, {messages} messages; resident {} MiB", resident_mib());

    let engine = engine(&house).await;
    let (engine, inbox, history) = (&engine, inbox.id, history.id);
    let page = |filter: InboxFilter| async move {
        let page = engine.conversations(inbox, &filter, Walk::Start, 50).await.expect("a page");
        std::hint::black_box(page.items.len());
    };
    measure("inbox cold load, first page", 1, |_| page(InboxFilter::default())).await;
    println!("resident {} MiB", resident_mib());
    measure("inbox page, no filter", 1000, |_| page(InboxFilter::default())).await;
    let rare = || InboxFilter { connection: Some(ConnectionId([19; 16])), ..InboxFilter::default() };
    measure("inbox page, one connection of 20", 1000, |_| page(rare())).await;
    let none = || InboxFilter { assignee: Some(AssigneeFilter::Agent("nobody".into())), ..InboxFilter::default() };
    measure("inbox page, a filter that nothing meets", 1000, |_| page(none())).await;
    let unread = || InboxFilter { status: Some(ShownStatus::Open), unread: Some(true), ..InboxFilter::default() };
    measure("inbox page, open and unread", 1000, |_| page(unread())).await;
    let counts = |filter: InboxFilter| async move {
        std::hint::black_box(engine.counts(inbox, &filter).await.expect("counts").total);
    };
    measure("counts, no filter", 200, |_| counts(InboxFilter::default())).await;
    measure("counts, one connection of 20", 200, |_| counts(rare())).await;

    let newest = |_| async move {
        let page = engine.messages(history, id(0), Order::Newest, Walk::Start, 50).await.expect("messages");
        assert_eq!(page.items.len(), 50);
    };
    measure("newest 50 of a conversation, cold", 1, newest).await;
    measure("newest 50 of a conversation, warm", 500, newest).await;
    let random = |n: usize| async move {
        let conversation = id(1 + (n as u64 * 7919) % 49_999);
        engine.messages(history, conversation, Order::Newest, Walk::Start, 50).await.expect("messages");
    };
    measure("newest 50 of any conversation, warm footers", 500, random).await;
    println!("resident {} MiB", resident_mib());
}
