//! How fast the embedded log takes single records of 600 bytes, and how long each waits to be durable.
//!
//! `cargo run --release -p event-log --example append_bench [directory] [laid-out]`: give a directory on the disk in
//! question; the default is the system's temporary directory. With `laid-out`, segments of 4 MiB are laid out ahead.
use event_log::{
    SharedLog,
    embedded::{EmbeddedLog, Options},
};
use schemas::{
    clock::{SystemClock, SystemEntropy},
    ids::{DekId, EventId, WorkspaceId},
    log::Slot,
    record::SealedRecord,
};
use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

const SLOTS: u32 = 16;
const RECORD_BYTES: usize = 600;

fn record() -> SealedRecord {
    let mut record = SealedRecord {
        workspace: WorkspaceId([1; 16]),
        event: EventId([2; 16]),
        schema: 1,
        master_key: format!("w/{}/v1", WorkspaceId([1; 16])).into(),
        dek: DekId([3; 16]),
        wrapped_dek: [4; 60],
        commitment: [5; 16],
        value: bytes::Bytes::new(),
    };
    record.value = vec![6; RECORD_BYTES.saturating_sub(record.encoded_len())].into();
    record
}

async fn one(log: SharedLog, slot: Slot, appends: usize) -> Result<Vec<Duration>, event_log::LogError> {
    let record = record();
    let mut took = Vec::with_capacity(appends);
    for _ in 0..appends {
        let begun = Instant::now();
        log.append(slot, vec![record.clone()]).await?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let lay_out = std::env::args().nth(2).as_deref() == Some("laid-out");
    println!("{:>9} {:>9} {:>12} {:>10} {:>10}", "appenders", "appends", "appends/s", "p50 ms", "p99 ms");
    for (appenders, appends) in [(1, 2000), (16, 500), (256, 200)] {
        let directory = tempfile::tempdir_in(&parent)?;
        let mut options = Options::new(directory.path(), SLOTS, Arc::new(SystemClock), Arc::new(SystemEntropy));
        (options.segment_bytes, options.lay_out) = (4 << 20, lay_out);
        let log = EmbeddedLog::open(options)?;
        let begun = Instant::now();
        let tasks: Vec<_> =
            (0..appenders).map(|task| tokio::spawn(one(log.clone(), Slot(task % SLOTS), appends))).collect();
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await??);
        }
        let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
        took.sort_unstable();
        let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)].as_secs_f64() * 1e3;
        println!("{appenders:>9} {:>9} {rate:>12.0} {:>10.3} {:>10.3}", took.len(), at(50), at(99));
    }
    Ok(())
}
