//! Ten thousand workspaces at half an event a second each: what a round of land, derive, purge and compact costs, and
//! whether it stays flat. Time is compressed: a round appends what comes in `SECONDS_A_ROUND` and lands it at once.
//! `WORKSPACES=10000 SECONDS_A_ROUND=60 ROUNDS=5 cargo bench --bench workspaces`, or `infra/bench workspaces`.
#![allow(clippy::expect_used, reason = "a bench that cannot set up has nothing to measure")]
#[path = "../transform/tests/support/mod.rs"]
mod support;

use schemas::{clock::SystemClock, event::Event, time::Millis};
use std::time::{Duration, Instant};
use support::{House, message};
use transform::LandSettings;

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn status_mib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|l| l.starts_with(field)).expect("the field");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number") / 1024
}

#[tokio::main]
async fn main() {
    let (workspaces, seconds, rounds) =
        (setting("WORKSPACES", 10_000), setting("SECONDS_A_ROUND", 60), setting("ROUNDS", 5));
    let house = House::new(schemas::clock::Clock::now(&SystemClock)).await;
    let begun = Instant::now();
    let mut customers = Vec::new();
    for n in 0..workspaces {
        customers.push(house.workspace(&format!("workspace {n}"), None).await);
    }
    println!(
        "{workspaces} workspaces made in {:.1} s, resident {} MiB",
        begun.elapsed().as_secs_f64(),
        status_mib("VmRSS")
    );
    // Derive is measured apart.
    let day = Duration::from_secs(86_400);
    let land = LandSettings { max_age: day, max_rows: 1 << 40, derive_at: u64::MAX, ..LandSettings::default() };
    let transform = house.jobs_with(land).start();
    let per_round = (seconds / 2).max(1);
    for round in 0..rounds {
        let begun = Instant::now();
        for (w, workspace) in customers.iter().enumerate() {
            let events: Vec<Event> = (0..per_round)
                .map(|n| {
                    let id = (round * per_round + n).wrapping_mul(workspaces) + u32::try_from(w).expect("small");
                    message(id, u8::try_from(n % 20).expect("small"), Millis(house.now().0 + i64::from(n) * 2000))
                })
                .collect();
            house.append(workspace, &events).await;
        }
        let append = begun.elapsed().as_secs_f64();
        house.clock.advance(Duration::from_secs(u64::from(seconds)));
        let begun = Instant::now();
        transform.flush().await.expect("landed");
        let land = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let derived = transform.jobs().derive().await.expect("derived");
        let derive = begun.elapsed().as_secs_f64();
        // As the program's own loop does it: what was replaced goes first.
        let begun = Instant::now();
        let purged = transform.jobs().purge().await.expect("purged");
        let purge = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let compacted = transform.jobs().compact(false).await.expect("compacted");
        let compact = begun.elapsed().as_secs_f64();
        let catalog = std::fs::metadata(house.directory.path().join("catalog.db")).expect("catalog").len() >> 20;
        println!(
            "round {round}: {} events appended in {append:.1} s; landed in {land:.1} s ({:.0} files/s); {derived} conversations derived in {derive:.1} s; {purged} old files purged in {purge:.1} s; {} compacted to {} in {compact:.1} s; resident {} MiB, peak {} MiB, catalog {catalog} MiB",
            workspaces * per_round,
            f64::from(workspaces) / land,
            compacted.removed,
            compacted.added,
            status_mib("VmRSS"),
            status_mib("VmHWM"),
        );
    }
    transform.shutdown().await.expect("stopped");
}
