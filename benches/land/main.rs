//! How many events per second, and per CPU second, land takes from an embedded log to committed, encrypted, read-back
//! files. `cargo bench --bench land -- [EVENTS] [WORKSPACES] [DAYS] [ordered|interleaved]`.
#![allow(clippy::expect_used, reason = "a bench that cannot set up has nothing to measure")]
#[path = "../transform/tests/support/mod.rs"]
mod support;

use schemas::{event::Event, partition::DAY, time::Millis};
use std::time::Instant;
use support::{House, at, message};

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
    ticks / 100.0
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let mut number = |default: u32| args.next().and_then(|a| a.parse().ok()).unwrap_or(default);
    let (events, workspaces, days) = (number(1_000_000), number(50), number(7));
    let interleaved = args.next().as_deref() == Some("interleaved");
    let house = House::new(at("2026-03-09T00:00:00Z")).await;
    let mut customers = Vec::new();
    for n in 0..workspaces {
        customers.push(house.workspace(&format!("workspace {n}"), None).await);
    }
    let start = at("2026-03-02T00:00:00Z");
    let per_workspace = events / workspaces;
    let begun = Instant::now();
    for from in (0..per_workspace).step_by(500) {
        for (w, workspace) in customers.iter().enumerate() {
            let list: Vec<Event> = (from..(from + 500).min(per_workspace))
                .map(|n| {
                    let place = u64::from(n) * 86_400_000 * u64::from(days);
                    let ordered = i64::try_from(place / u64::from(per_workspace)).expect("small");
                    let day = i64::from(n % days) * i64::try_from(DAY.as_millis()).expect("small");
                    let when = if interleaved { day + i64::from(n) * 10 } else { ordered };
                    let id = n * workspaces + u32::try_from(w).expect("small");
                    let mut event = message(id, u8::try_from(n % 200).expect("small"), Millis(start.0 + when));
                    if let Some(message) = &mut event.message {
                        message.text =
                            Some(format!("สวัสดีค่ะ is the blue mug number {n} still in stock? {id:x} terima kasih"));
                    }
                    event
                })
                .collect();
            house.append(workspace, &list).await;
        }
    }
    eprintln!("appended {events} in {:.1} s", begun.elapsed().as_secs_f64());
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let transform = house.start();
    transform.flush().await.expect("landed");
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let mut files = 0;
    for workspace in &customers {
        files += house.live(workspace.id).await.len();
    }
    let n = f64::from(per_workspace * workspaces);
    println!(
        "{n} events, {workspaces} workspaces x {days} days, {}: {:.0}/s, {:.0} per CPU second, {wall:.2} s wall, {cpu:.2} s CPU, {files} files",
        if interleaved { "days interleaved" } else { "arrival order" },
        n / wall,
        n / cpu,
    );
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    println!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default());
}
