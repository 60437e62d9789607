//! SIGKILL, for real: this program starts itself as a child that appends, and kills it at random moments.
use crate::{
    suite::{read_all, record},
    support::options,
};
use event_log::{EventLog, embedded::EmbeddedLog};
use schemas::{
    clock::{self, Entropy, SeededEntropy, SystemEntropy},
    log::{Offset, Slot},
    record::SealedRecord,
};
use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

const DIRECTORY: &str = "EVENT_LOG_KILL_DIRECTORY";
const ROUND: &str = "EVENT_LOG_KILL_ROUND";
const SEED: &str = "EVENT_LOG_KILL_SEED";
const ROUNDS: u64 = 20;
const SLOTS: u32 = 3;
const TASKS: u64 = 6;

/// Which records one append call brings, from numbers alone, so that parent and child agree: the batch's number says
/// all, and its last digit pair says which record of it.
fn batch(round: u64, task: u64, call: u64) -> Vec<SealedRecord> {
    let first = ((round * TASKS + task) * 1_000_000 + call) * 100;
    let (count, size) = (1 + call * 7 % 5, call * 131 % 900);
    (first..first + count).map(|number| record(number, size as usize)).collect()
}

fn number(record: &SealedRecord) -> u64 {
    u64::from_be_bytes(record.event.0[8..].try_into().unwrap())
}

/// All that the append call of this record brought, and which of them it is.
fn siblings(record: &SealedRecord) -> (Vec<SealedRecord>, usize) {
    let (call, at) = (number(record) / 100, (number(record) % 100) as usize);
    (batch(call / 1_000_000 / TASKS, call / 1_000_000 % TASKS, call % 1_000_000), at)
}

fn open(directory: &Path) -> std::sync::Arc<EmbeddedLog> {
    let mut options = options(directory, SLOTS, 1);
    options.segment_bytes = 40_000;
    options.lay_out = true;
    EmbeddedLog::open(options).unwrap()
}

/// One line in one write, so that the parent never sees parts of two.
fn say(line: String) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[test]
#[ignore = "the kill test starts it as its child"]
fn child() {
    let Ok(directory) = env::var(DIRECTORY) else { return };
    let round: u64 = env::var(ROUND).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let log = open(Path::new(&directory));
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let log = log.clone();
                tokio::spawn(async move {
                    let slot = Slot((task % u64::from(SLOTS)) as u32);
                    for call in 0.. {
                        let first = log.append(slot, batch(round, task, call)).await.unwrap().first;
                        say(format!("\nACK {slot} {first} {task} {call}"));
                        if call % 40 == 39 && task < u64::from(SLOTS) {
                            let below = first.0.saturating_sub(150);
                            say(format!("\nMARK {slot} {below}"));
                            log.truncate(slot, Offset(below)).await.unwrap();
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[derive(Default)]
struct Expected {
    records: BTreeMap<u64, SealedRecord>,
    mark: u64,
}

impl Expected {
    /// Compares with what the log holds, and takes over what it holds beyond: from now on that must stay as well.
    fn compare(&mut self, start: Offset, found: Vec<SealedRecord>) {
        assert!(start.0 <= self.mark, "nothing may be gone above {}: {start}", self.mark);
        let end = start.0 + found.len() as u64;
        self.records = self.records.split_off(&start.0);
        if let Some((last, _)) = self.records.last_key_value() {
            assert!(*last < end, "acknowledged {last}, the log ends at {end}");
        }
        for (offset, expected) in &self.records {
            assert!(found[(offset - start.0) as usize] == *expected, "offset {offset} holds another record");
        }
        let mut numbers: Vec<_> = found.iter().map(number).collect();
        numbers.sort_unstable();
        assert!(numbers.is_sorted_by(|a, b| a < b), "a record is there twice");
        let mut at = 0;
        while at < found.len() {
            let (siblings, skip) = siblings(&found[at]);
            assert!(skip == 0 || at == 0, "only truncation may cut an append");
            let siblings = &siblings[skip..];
            assert!(found.len() - at >= siblings.len(), "half an append at the end");
            assert!(found[at..at + siblings.len()] == *siblings, "half an append, or a changed one");
            at += siblings.len();
        }
        self.records = (start.0..).zip(found).collect();
    }
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    let seed = env::var(SEED)
        .map_or_else(|_| u64::from_be_bytes(clock::random(&SystemEntropy).unwrap()), |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    let entropy = SeededEntropy::new(seed);
    let random = |below: u64| {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes).unwrap();
        u64::from_be_bytes(bytes) % below
    };
    let directory = tempfile::tempdir().unwrap();
    let mut slots: Vec<_> = (0..SLOTS).map(|_| Expected::default()).collect();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--ignored", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(ROUND, round.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (kill_after, spin) = (1 + random(800), random(200_000));
        let mut lines = 0;
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).unwrap() > 0 {
            // A line without its end is cut by the kill and was perhaps not said in full.
            let text = std::str::from_utf8(&line).unwrap();
            let words: Vec<_> = text.split_whitespace().collect();
            let numbers: Vec<u64> = words.iter().skip(1).filter_map(|word| word.parse().ok()).collect();
            match (words.first(), &numbers[..]) {
                (Some(&"ACK"), &[slot, first, task, call]) if text.ends_with('\n') => {
                    slots[slot as usize].records.extend((first..).zip(batch(round, task, call)));
                    acknowledged += 1;
                }
                (Some(&"MARK"), &[slot, below]) if text.ends_with('\n') => {
                    let slot = &mut slots[slot as usize];
                    slot.mark = slot.mark.max(below);
                }
                _ => {}
            }
            line.clear();
            lines += 1;
            if lines == kill_after {
                // Moves the kill within an append; right at any moment.
                (0..spin).for_each(|_| std::hint::spin_loop());
                child.kill().unwrap();
            }
        }
        // Also ends a child that said too little, so that the test cannot hang.
        let _ = child.kill();
        let status = child.wait().unwrap();
        assert!(!status.success(), "round {round}: the child must not end by itself");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let log = open(directory.path());
            for (slot, expected) in (0..).map(Slot).zip(&mut slots) {
                let start = log.start(slot).await.unwrap();
                expected.compare(start, read_all(&*log, slot, start, 100_000).await);
            }
        });
    }
    println!("{acknowledged} appends acknowledged");
    assert!(acknowledged > 0);
}
