//! How many events per second, and per CPU second, land takes from a log to committed, encrypted, read-back files.
//!
//! `infra/bench land` runs it on a Kafka that it starts; `cargo bench --bench land -- [EVENTS] [WORKSPACES] [DAYS]
//! [ordered|interleaved]` on the embedded log. It produces the events, in arrival order or with days interleaved and one
//! in a hundred of them delivered twice; reads them with a bare consumer of the log's client library, if that is Kafka;
//! and lands them with the settings that `chatmai transform` has. All of it in this process and in one run.
#![allow(clippy::expect_used, reason = "a bench that cannot set up has nothing to measure")]
mod kafka;
#[path = "../../transform/tests/support/mod.rs"]
mod support;
mod usage;

use event_log::{
    SharedLog,
    embedded::{EmbeddedLog, Options},
};
use schemas::{
    clock::{ManualClock, SystemEntropy},
    event::Event,
    partition::DAY,
    time::Millis,
};
use std::{sync::Arc, time::Duration};
use support::{House, at, message};
use test_stores::Place;
use transform::LandSettings;
use usage::Usage;
use warehouse::registry::Workspace;

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Events of one workspace in a row, as a busy connection posts them.
const RUN: u32 = 500;
/// One in so many events comes a second time.
const REDELIVERED: u32 = 100;

struct Wanted {
    events: u32,
    workspaces: u32,
    days: u32,
    is_interleaved: bool,
}

impl Wanted {
    fn read() -> Self {
        let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
        let mut number = |default: u32| args.next().and_then(|a| a.parse().ok()).unwrap_or(default);
        let (events, workspaces, days) = (number(2_000_000), number(50), number(7));
        Self { events, workspaces, days, is_interleaved: args.next().as_deref() == Some("interleaved") }
    }

    fn each(&self) -> u32 {
        self.events / self.workspaces
    }

    /// Event `n` of workspace `w`.
    fn event(&self, n: u32, w: u32) -> Event {
        let place = u64::from(n) * 86_400_000 * u64::from(self.days);
        let ordered = i64::try_from(place / u64::from(self.each())).expect("small");
        let day = i64::from(n % self.days) * i64::try_from(DAY.as_millis()).expect("small");
        let when = if self.is_interleaved { day + i64::from(n) * 10 } else { ordered };
        let start = at("2026-03-02T00:00:00Z");
        let id = n * self.workspaces + w;
        let mut event = message(id, u8::try_from(n % 200).expect("small"), Millis(start.0 + when));
        if let Some(message) = &mut event.message {
            message.text = Some(format!("สวัสดีค่ะ is the blue mug number {n} still in stock? {id:x} terima kasih"));
        }
        event
    }

    /// How many records are appended.
    async fn produce(&self, house: &House, customers: &[Workspace]) -> u64 {
        let mut appended = 0;
        for from in (0..self.each()).step_by(RUN as usize) {
            for (w, workspace) in customers.iter().enumerate() {
                let w = u32::try_from(w).expect("small");
                let numbers = from..(from + RUN).min(self.each());
                let mut events: Vec<Event> = numbers.clone().map(|n| self.event(n, w)).collect();
                events.extend(numbers.filter(|n| n % REDELIVERED == 0).map(|n| self.event(n, w)));
                house.append(workspace, &events).await;
                appended += events.len() as u64;
            }
        }
        appended
    }
}

#[tokio::main]
async fn main() {
    let wanted = Wanted::read();
    let directory = tempfile::tempdir().expect("a directory");
    let clock = ManualClock::at(at("2026-03-09T00:00:00Z"));
    let topic = kafka::Topic::given();
    let log: SharedLog = match &topic {
        Some(topic) => topic.open().await,
        None => {
            let options = Options::new(directory.path().join("log"), 2, clock.clone(), Arc::new(SystemEntropy));
            EmbeddedLog::open(options).expect("a log")
        }
    };
    let place = Place::chosen(&directory.path().join("store"));
    let house = House::with_log(directory, place, clock, log).await;
    let mut customers = Vec::new();
    for n in 0..wanted.workspaces {
        customers.push(house.workspace(&format!("workspace {n}"), None).await);
    }
    let order = if wanted.is_interleaved { "days interleaved" } else { "arrival order" };
    let where_from = if topic.is_some() { "Kafka" } else { "the embedded log" };
    println!("{} workspaces x {} days, {order}, from {where_from}", wanted.workspaces, wanted.days);

    let usage = Usage::begin();
    let appended = wanted.produce(&house, &customers).await;
    usage.print("produce", appended);
    if let Some(topic) = &topic {
        let usage = Usage::begin();
        let read = topic.consume();
        usage.print("bare consumer", read);
        assert_eq!(read, appended, "the consumer has seen all of it");
    }
    let usage = Usage::begin();
    // Derive is measured apart.
    let land = LandSettings { max_age: Duration::from_secs(86_400), derive_at: u64::MAX, ..LandSettings::default() };
    let transform = house.jobs_with(land).start();
    transform.flush().await.expect("landed");
    usage.print("land", appended);
    let (mut files, mut rows, mut bytes) = (0, 0, 0);
    for workspace in &customers {
        for file in house.live(workspace.id).await {
            (files, rows, bytes) = (files + 1, rows + file.rows, bytes + file.bytes);
        }
    }
    println!("  {rows} rows in {files} files of {} MiB", bytes >> 20);
    assert_eq!(rows, u64::from(wanted.each() * wanted.workspaces), "each event once");
    let usage = Usage::begin();
    let derived = transform.jobs().derive().await.expect("derived");
    usage.print("derive", rows);
    println!("  {derived} conversations");
}
