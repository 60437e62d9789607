//! Everything that happens to files, over a store that fails on purpose: nothing lost, nothing doubled, and nothing left
//! behind once scrub has come round.
//!
//! `CHATMAI_FAULT_SEED` repeats one run, `CHATMAI_FAULT_RUNS` (12) says how many different ones are made.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
mod support;

use futures::TryStreamExt;
use object_store::{ObjectStore, memory::InMemory};
use schemas::{
    clock::{Clock, Entropy, SeededEntropy, SystemClock, SystemEntropy},
    event::Event,
    kind::{AuthorKind, Kind},
    log::Slot,
    partition::{DAY, READER_GRACE, RetentionClass, cut},
    time::Millis,
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};
use support::{House, edit, event, message};
use test_stores::{Faulty, Place, say};
use transform::{TransformError, TransformHandle, scrub::owner_of};
use warehouse::{file::DataFilePath, registry::Workspace};

const RETENTION_DAYS: u16 = 3;
const STEPS: usize = 120;
/// Of 1000 requests so many end badly: about as many as a job can meet and still come to its end sometimes.
const BAD: u64 = 60;

struct Random(SeededEntropy);

impl Random {
    fn below(&self, n: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).expect("random bytes");
        u64::from_be_bytes(bytes) % n
    }
}

struct Run {
    house: House,
    faulty: Faulty,
    workspaces: Vec<Workspace>,
    random: Random,
    /// By workspace: everything that was appended for the first time.
    model: Vec<BTreeMap<[u8; 16], Event>>,
    next: u32,
    failures: u32,
}

/// What a job may say about a store that does not answer; anything else is a mistake of ours.
fn may_fail<T>(result: Result<T, TransformError>, failures: &mut u32) {
    match result {
        Ok(_) => {}
        Err(TransformError::Unavailable(_)) => *failures += 1,
        Err(error) => panic!("{error}"),
    }
}

impl Run {
    async fn new(seed: u64) -> Self {
        let faulty = Faulty::new(Arc::new(InMemory::new()), seed);
        let place = Place::bucket(Arc::new(faulty.clone()));
        // The store's own clock is the machine's, so the test begins at its time.
        let directory = tempfile::tempdir().expect("a directory");
        let house = House::on(directory, place, SystemClock.now()).await;
        // As the program does at its start. Half of a claim would be another's for ever: that one put has to be whole, as it
        // is in any real bucket.
        house.files.claim(&owner_of(house.log.epoch())).await.expect("claimed");
        let mut workspaces = Vec::new();
        for name in ["ann", "ben", "cat"] {
            workspaces.push(house.workspace(name, Some(RETENTION_DAYS)).await);
        }
        let model = workspaces.iter().map(|_| BTreeMap::new()).collect();
        Self { house, faulty, workspaces, random: Random(SeededEntropy::new(seed)), model, next: 0, failures: 0 }
    }

    async fn append(&mut self) {
        let n = usize::try_from(self.random.below(self.workspaces.len() as u64)).expect("small");
        let mut events = Vec::new();
        for _ in 0..=self.random.below(5) {
            self.next += 1;
            let back = Duration::from_secs(self.random.below(100_000));
            let conversation = u8::try_from(self.random.below(4)).expect("small");
            let sent: Vec<&Event> = self.model[n].values().filter(|e| e.kind == Kind::Message).collect();
            let made = match self.random.below(8) {
                0 if !sent.is_empty() => {
                    let target = sent[usize::try_from(self.random.below(sent.len() as u64)).expect("small")];
                    edit(self.next, target, self.house.now(), &format!("edited {}", self.next), i64::from(self.next))
                }
                // A redelivery.
                1 if !sent.is_empty() => {
                    sent[usize::try_from(self.random.below(sent.len() as u64)).expect("small")].clone()
                }
                2 => event(self.next, conversation, self.house.now() - back, Kind::Close, AuthorKind::Agent),
                _ => message(self.next, conversation, self.house.now() - back),
            };
            self.model[n].entry(made.id.0).or_insert_with(|| made.clone());
            events.push(made);
        }
        self.house.append(&self.workspaces[n], &events).await;
    }

    async fn step(&mut self, transform: &TransformHandle) {
        let jobs = transform.jobs();
        match self.random.below(20) {
            0..=8 => self.append().await,
            9..=11 => drop(transform.flush().await.expect("land tries until it is done")),
            12..=13 => may_fail(jobs.derive().await, &mut self.failures),
            14 => may_fail(jobs.compact(true).await, &mut self.failures),
            15 => may_fail(jobs.compact(false).await, &mut self.failures),
            16 => {
                // What waits in the log would be too old afterwards; that is another test's matter.
                transform.flush().await.expect("landed");
                may_fail(jobs.expire().await, &mut self.failures);
            }
            17 => may_fail(jobs.purge().await, &mut self.failures),
            18 => may_fail(self.scrub(transform).await, &mut self.failures),
            _ => {
                transform.flush().await.expect("landed");
                self.house.clock.advance(Duration::from_secs(600 + self.random.below(40_000)));
            }
        }
    }

    async fn scrub(&self, transform: &TransformHandle) -> Result<(), TransformError> {
        let found = transform.jobs().scrub().await?;
        assert_eq!((&found.missing[..], &found.damaged[..]), (&[][..], &[][..]));
        Ok(())
    }

    /// Once the store is well again, everything is as if it had always been.
    async fn check(&mut self, transform: &TransformHandle) {
        self.faulty.fail(0);
        let jobs = transform.jobs();
        transform.flush().await.expect("landed");
        jobs.derive().await.expect("derived");
        self.compare().await;
        jobs.compact(true).await.expect("compacted");
        jobs.expire().await.expect("expired");
        self.compare().await;
        self.house.clock.advance(READER_GRACE + Duration::from_secs(1));
        jobs.purge().await.expect("purged");
        // Orphans are a day old at least before they go.
        self.house.clock.advance(DAY * 2);
        jobs.expire().await.expect("expired");
        jobs.compact(true).await.expect("compacted");
        self.house.clock.advance(READER_GRACE + Duration::from_secs(1));
        jobs.purge().await.expect("purged");
        self.scrub(transform).await.expect("scrubbed");
        self.compare().await;

        let mut live: Vec<String> = Vec::new();
        for slot in 0..self.house.log.slots() {
            let files = self.house.catalog.live_files(Slot(slot)).await.expect("files");
            live.extend(files.iter().map(|file| DataFilePath::of(file).to_string()));
        }
        live.sort();
        let listed: Vec<_> = self.house.place.store.list(None).try_collect().await.expect("listed");
        let mut listed: Vec<String> = listed.into_iter().map(|meta| meta.location.to_string()).collect();
        listed.retain(|location| location != "owner");
        listed.sort();
        assert_eq!(listed, live, "objects and live files");
    }

    /// Rows in the files against what was appended, as multisets; and the totals.
    async fn compare(&self) {
        let cut = cut(self.house.now(), RetentionClass::STANDARD, RETENTION_DAYS);
        let mut appended = 0;
        for (workspace, model) in self.workspaces.iter().zip(&self.model) {
            let rows = self.house.rows(workspace.id).await;
            let retained = |at: Millis| at >= cut;
            let mut found: Vec<[u8; 16]> =
                rows.iter().filter(|r| retained(r.event.event_at)).map(|r| r.event.id.0).collect();
            found.sort_unstable();
            let expected: Vec<[u8; 16]> =
                model.iter().filter(|(_, e)| retained(e.event_at)).map(|(id, _)| *id).collect();
            assert_eq!(found, expected, "lost or doubled in {}", workspace.id);
        }
        for slot in 0..self.house.log.slots() {
            appended += self.house.log.end(Slot(slot)).await.expect("an end").0;
        }
        let totals: u64 = self.house.catalog.totals().await.expect("totals").iter().map(|(_, _, n)| n).sum();
        assert_eq!(totals, appended, "every event ended in one way");
    }
}

async fn run(seed: u64) -> (u64, u32) {
    let mut run = Run::new(seed).await;
    let mut transform = run.house.start();
    for _ in 0..STEPS {
        run.faulty.fail(BAD);
        run.step(&transform).await;
        if run.random.below(25) == 0 {
            // As at kill -9: nothing is told to anybody.
            drop(transform);
            transform = run.house.start();
        }
    }
    run.check(&transform).await;
    transform.shutdown().await.expect("stopped");
    (run.faulty.met(), run.failures)
}

#[test]
fn a_failing_store_loses_nothing_doubles_nothing_and_leaves_nothing() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("CHATMAI_FAULT_SEED") {
        Some(seed) => vec![seed],
        None => {
            let mut bytes = [0; 8];
            SystemEntropy.fill(&mut bytes).expect("entropy");
            let first = u64::from_be_bytes(bytes) >> 16;
            (0..number("CHATMAI_FAULT_RUNS").unwrap_or(12)).map(|n| first + n).collect()
        }
    };
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.expect("a runtime").block_on(run(seed))));
        match outcome {
            Ok((met, failures)) => {
                assert!(met > 0, "no request failed");
                println!("seed {seed}: {met} requests ended badly, {failures} jobs failed and ran again");
            }
            Err(panic) => {
                say(&format!("repeat it with CHATMAI_FAULT_SEED={seed}"));
                resume_unwind(panic);
            }
        }
    }
}
