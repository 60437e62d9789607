//! One worker owns a slot: it reads records, drops copies, writes encrypted files and commits them together with the
//! offsets they came from.
mod batch;
mod known;
mod opened;
mod owner;
mod write;

pub(crate) use owner::{Owner, Workers};

use crate::{Shared, TransformError, metrics::Job};
use futures::future::{Either, select};
use known::Known;
use opened::Batch;
use schemas::log::{Offset, Slot};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use warehouse::catalog::{CatalogError, Generation, LandCommit, Snapshot};

/// Asks a worker to land all that is in the log now, and answers when it has.
pub(crate) type Flush = oneshot::Sender<Result<Offset, String>>;

/// How long a worker waits before it tries again, doubling.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

pub(crate) struct Worker {
    pub shared: Arc<Shared>,
    pub slot: Slot,
    pub flushes: mpsc::Receiver<Flush>,
    /// Something was landed since the last failure.
    pub is_well: bool,
}

/// Why a worker ended.
pub(crate) enum Ended {
    /// It was told to, and everything is landed.
    Stopped,
    /// A person must look.
    Failed(TransformError),
}

impl Worker {
    /// Runs until every sender of flushes is gone; lands what is left before it ends.
    pub async fn run(mut self) -> Ended {
        let mut pause = RETRY.0;
        loop {
            match self.own_slot().await {
                Ok(()) => return Ended::Stopped,
                Err(error @ TransformError::Integrity(_)) => {
                    tracing::error!(slot = self.slot.0, %error, "land stops");
                    return Ended::Failed(error);
                }
                Err(error) => {
                    tracing::warn!(slot = self.slot.0, %error, "land begins again");
                    self.shared.metrics.failures.get_or_create(&Job { job: "land" }).inc();
                    if std::mem::take(&mut self.is_well) {
                        pause = RETRY.0;
                    }
                    // Who was stopped for long has been replaced and does not know it yet: to take the slot back would
                    // disturb the process that has it now.
                    let is_fenced = matches!(error, TransformError::Fenced(_));
                    tokio::time::sleep(if is_fenced { self.shared.land.yields } else { pause }).await;
                    pause = (pause * 2).min(RETRY.1);
                }
            }
        }
    }

    /// Takes the slot and lands from where the catalog stands.
    async fn own_slot(&mut self) -> Result<(), TransformError> {
        let shared = self.shared.clone();
        let generation = shared.catalog.take_slot(self.slot, &shared.holder).await?;
        let mut snapshot = shared.catalog.snapshot(self.slot).await?;
        let start = shared.log.start(self.slot).await.map_err(log)?;
        if start > snapshot.next {
            return Err(TransformError::Integrity(format!(
                "slot {} continues at {} but the log begins at {start}",
                self.slot, snapshot.next
            )));
        }
        let end = shared.log.end(self.slot).await.map_err(log)?;
        if end < snapshot.next {
            return Err(TransformError::Integrity(format!(
                "slot {} is landed up to {} but the log ends at {end}: it is older than the catalog",
                self.slot, snapshot.next
            )));
        }
        let mut known = Known::load(&shared, self.slot).await?;
        loop {
            let (flushes, last) = self.wait_for_work(snapshot.next).await?;
            let to = shared.log.end(self.slot).await.map_err(log)?;
            let landed = async {
                while snapshot.next < to {
                    snapshot = land_once(&shared, &mut known, generation, snapshot, to).await?;
                }
                Ok::<_, TransformError>(())
            }
            .await;
            for flush in flushes {
                let answer = landed.as_ref().map(|()| snapshot.next).map_err(ToString::to_string);
                // Who asked may have given up waiting.
                let _ = flush.send(answer);
            }
            landed?;
            self.is_well = true;
            if last {
                return Ok(());
            }
        }
    }

    /// Returns when something is to be landed: enough records, old enough ones, a flush, or the end (`true`).
    async fn wait_for_work(&mut self, next: Offset) -> Result<(Vec<Flush>, bool), TransformError> {
        let log_handle = self.shared.log.clone();
        let land = &self.shared.land;
        let slot = self.slot;
        let first = async {
            log_handle.wait(slot, next).await.map_err(log)?;
            let full = pin!(log_handle.wait(slot, Offset(next.0.saturating_add(land.max_rows.max(1) - 1))));
            let age = pin!(tokio::time::sleep(land.max_age));
            match select(full, age).await {
                Either::Left((full, _)) => full.map_err(log),
                Either::Right(((), _)) => Ok(()),
            }
        };
        let mut flushes = Vec::new();
        match select(pin!(first), pin!(self.flushes.recv())).await {
            Either::Left((result, _)) => result?,
            Either::Right((None, _)) => return Ok((flushes, true)),
            Either::Right((Some(flush), _)) => flushes.push(flush),
        }
        while let Ok(flush) = self.flushes.try_recv() {
            flushes.push(flush);
        }
        Ok((flushes, false))
    }
}

fn log(error: event_log::LogError) -> TransformError {
    match error {
        event_log::LogError::Unavailable(why) => TransformError::Unavailable(why),
        other => TransformError::Integrity(other.to_string()),
    }
}

/// Lands one batch from the snapshot's end on, trying again while something does not answer.
async fn land_once(
    shared: &Shared,
    known: &mut Known,
    generation: Generation,
    snapshot: Snapshot,
    to: Offset,
) -> Result<Snapshot, TransformError> {
    let mut pause = RETRY.0;
    loop {
        match land_batch(shared, known, generation, snapshot, to).await {
            Err(TransformError::Unavailable(why)) => {
                tracing::warn!(slot = snapshot.slot.0, why, "land tries again");
                shared.metrics.failures.get_or_create(&Job { job: "land" }).inc();
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
            other => return other,
        }
    }
}

async fn land_batch(
    shared: &Shared,
    known: &mut Known,
    generation: Generation,
    snapshot: Snapshot,
    to: Offset,
) -> Result<Snapshot, TransformError> {
    let begun = tokio::time::Instant::now();
    // Merging goes on beside land: the newest snapshot says which files hold what was landed before, an older one may
    // name files that are forgotten by now.
    let newest = shared.catalog.snapshot(snapshot.slot).await?;
    if newest.next != snapshot.next {
        return Err(TransformError::Fenced(format!("slot {} continues at {}", snapshot.slot, newest.next)));
    }
    let snapshot = newest;
    let batch = Batch::read(shared, snapshot, to).await?;
    shared.faults.at("land/read");
    let sorted = batch.sort_out(shared, known, snapshot).await?;
    shared.faults.at("land/before-write");
    let rows = sorted.rows();
    let add = write::write(shared, sorted.partitions, sorted.plaintexts).await?;
    shared.faults.at("land/after-write");
    shared.files.make_durable(&add).await?;
    let files = add.clone();
    let claimed: Vec<_> = sorted.claimed.iter().map(|claimed| claimed.workspace).collect();
    let commit = LandCommit {
        generation,
        from: snapshot.next,
        to: sorted.to,
        add,
        claimed: sorted.claimed,
        totals: sorted.totals,
        at: shared.clock.now(),
    };
    shared.faults.at("land/before-commit");
    let committed = commit_or_find(shared, commit).await?;
    shared.faults.at("land/after-commit");
    known.add(&files);
    claimed.into_iter().for_each(|workspace| known.claim(workspace));
    if rows >= shared.land.derive_at {
        shared.memory.much_landed.notify_one();
    }
    shared.metrics.commits.inc();
    shared.metrics.rows.inc_by(rows);
    shared.metrics.files.inc_by(files.len() as u64);
    shared.metrics.commit_seconds.observe(begun.elapsed().as_secs_f64());
    shared.metrics.last_commit_at.set(shared.clock.now().0 / 1000);
    (shared.committed)(snapshot.slot);
    Ok(committed)
}

/// Commits. When the catalog does not answer, the same commit is tried again, as its files are written already; and as
/// the answer may have been lost, the second try may find that the first one had happened.
async fn commit_or_find(shared: &Shared, commit: LandCommit) -> Result<Snapshot, TransformError> {
    let (slot, to) = (commit.generation.slot, commit.to);
    let (mut pause, mut is_unanswered) = (RETRY.0, false);
    loop {
        let error = match shared.catalog.commit_land(commit.clone()).await {
            Ok(snapshot) => return Ok(snapshot),
            // The generation was still the newest, else this worker were fenced, and nobody else commits under it.
            Err(CatalogError::Misplaced { next, .. }) if is_unanswered && next == to => {
                match shared.catalog.snapshot(slot).await {
                    Ok(now) => {
                        tracing::warn!(slot = slot.0, "the commit had happened, its answer was lost");
                        // Where somebody newer has gone on meanwhile, the next batch finds it.
                        return Ok(Snapshot { next, ..now });
                    }
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        let CatalogError::Unavailable(why) = error else { return Err(error.into()) };
        tracing::warn!(slot = slot.0, why, "the commit is tried again");
        shared.metrics.failures.get_or_create(&Job { job: "land" }).inc();
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY.1);
        is_unanswered = true;
    }
}
