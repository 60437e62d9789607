//! Starts the workers and the jobs, and stops them in order.
use crate::{
    JobSettings, Memory, Shared, TransformError, TransformOptions, compact, derive, expire,
    land::{Owner, Workers},
    metrics::{Job, Metrics},
    scrub,
};
use event_log::assignment::{AllSlots, Assignment};
use schemas::log::{Offset, Slot};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{runtime::Handle, sync::watch, task::JoinSet};

/// How long after its start a job runs for the first time, at most.
const FIRST_RUN: Duration = Duration::from_secs(60);

/// The jobs, to be run by hand: what the loops do, once, over every slot.
#[derive(Clone)]
pub struct Jobs {
    shared: Arc<Shared>,
}

/// The running workers and loops.
pub struct TransformHandle {
    jobs: Jobs,
    workers: Workers,
    stop: watch::Sender<bool>,
    /// Says that workers end because they were told to.
    ending: watch::Sender<bool>,
    owner: JoinSet<Result<(), TransformError>>,
    loops: JoinSet<()>,
}

impl Jobs {
    /// The jobs of a warehouse; nothing runs until it is asked to.
    pub fn new(options: TransformOptions, metrics: &mut prometheus_client::registry::Registry) -> Self {
        Self {
            shared: Arc::new(Shared {
                log: options.log,
                keyring: options.keyring,
                catalog: options.catalog,
                files: options.files,
                duplicates: options.duplicates,
                registry: options.registry,
                clock: options.clock,
                holder: options.holder,
                land: options.land,
                jobs: options.jobs,
                faults: options.faults,
                committed: options.committed,
                metrics: Metrics::new(metrics),
                memory: Memory::default(),
            }),
        }
    }

    fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..self.shared.log.slots()).map(Slot)
    }

    /// Starts a land worker for every slot, and the loops of the other jobs.
    pub fn start(self) -> TransformHandle {
        let all = AllSlots::new(self.shared.log.slots());
        self.start_with(Box::new(all))
    }

    /// Starts land workers for the slots that this process is assigned, and the loops of the other jobs.
    pub fn start_with(self, assignment: Box<dyn Assignment>) -> TransformHandle {
        let here = Handle::current();
        self.start_on(assignment, &here, &here)
    }

    /// The same, with the land workers on one runtime and the loops on another, whose threads may stand further back.
    pub fn start_on(self, assignment: Box<dyn Assignment>, workers_on: &Handle, loops_on: &Handle) -> TransformHandle {
        let (stop, stopped) = watch::channel(false);
        let (ending, told) = watch::channel(false);
        let (land, workers) = {
            // Workers of slots that are assigned already begin here and now.
            let _inside = workers_on.enter();
            Owner::new(self.shared.clone(), assignment, told)
        };
        let mut owner = JoinSet::new();
        owner.spawn_on(land.run(), workers_on);
        let JobSettings { derive_interval, compact_interval, expire_interval, scrub_interval, .. } =
            self.shared.jobs.clone();
        let mut loops = JoinSet::new();
        let derive = self.clone().every("derive", derive_interval, stopped.clone(), |j| async move {
            j.derive().await?;
            Ok(())
        });
        let compact = self.clone().every("compact", compact_interval, stopped.clone(), |j| async move {
            // First, as it is short and a long merge must not keep old objects.
            let purged = j.purge().await;
            j.compact(false).await?;
            purged.map(|_| ())
        });
        let expire = self.clone().every("expire", expire_interval, stopped.clone(), |j| async move {
            j.expire().await?;
            Ok(())
        });
        let scrub = self.clone().every("scrub", scrub_interval, stopped, |j| async move {
            j.scrub().await?;
            Ok(())
        });
        loops.spawn_on(derive, loops_on);
        loops.spawn_on(compact, loops_on);
        loops.spawn_on(expire, loops_on);
        loops.spawn_on(scrub, loops_on);
        TransformHandle { jobs: self, workers, stop, ending, owner, loops }
    }

    async fn every<F, R>(self, job: &'static str, interval: Duration, mut stopped: watch::Receiver<bool>, run: F)
    where
        F: Fn(Self) -> R,
        R: Future<Output = Result<(), TransformError>>,
    {
        // A process that is started often must still come to its daily jobs.
        let mut pause = interval.min(FIRST_RUN);
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(pause) => {}
                () = self.shared.memory.much_landed.notified(), if job == "derive" => {}
            }
            pause = interval;
            self.shared.metrics.runs.get_or_create(&Job { job }).inc();
            tokio::select! {
                // Each job is safe to stop at any instant.
                _ = stopped.wait_for(|stop| *stop) => return,
                result = run(self.clone()) => if let Err(error) = result {
                    self.shared.metrics.failures.get_or_create(&Job { job }).inc();
                    tracing::error!(job, %error, "the job failed; it runs again at its time");
                }
            }
        }
    }

    /// Derives what was landed. Returns how many conversations were brought up.
    ///
    /// # Errors
    /// See [`TransformError`].
    pub async fn derive(&self) -> Result<usize, TransformError> {
        let _running = self.shared.memory.deriving.lock().await;
        let (mut count, mut first) = (0, None);
        for slot in self.slots() {
            match derive::derive(&self.shared, slot).await {
                Ok(n) => count += n,
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        first.map_or(Ok(count), Err)
    }

    /// Merges files and folds amendments that are due; all of them when `all`.
    ///
    /// # Errors
    /// See [`TransformError`].
    pub async fn compact(&self, all: bool) -> Result<compact::Compacted, TransformError> {
        let _running = self.shared.memory.compacting.lock().await;
        let (mut total, mut first) = (compact::Compacted::default(), None);
        for slot in self.slots() {
            match compact::compact(&self.shared, slot, all).await {
                Ok(done) => {
                    total.removed += done.removed;
                    total.added += done.added;
                    total.folded += done.folded;
                }
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        first.map_or(Ok(total), Err)
    }

    /// Lets go of expired days.
    ///
    /// # Errors
    /// See [`TransformError`].
    pub async fn expire(&self) -> Result<expire::Expired, TransformError> {
        let _running = self.shared.memory.expiring.lock().await;
        let (mut total, mut first) = (expire::Expired::default(), None);
        for slot in self.slots() {
            match expire::expire(&self.shared, slot).await {
                Ok(done) => {
                    total.keys += done.keys;
                    total.files += done.files;
                    total.moved += done.moved;
                }
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        first.map_or(Ok(total), Err)
    }

    /// Removes objects of files that were replaced longer ago than the reader grace.
    ///
    /// # Errors
    /// See [`TransformError`].
    pub async fn purge(&self) -> Result<usize, TransformError> {
        scrub::purge(&self.shared).await
    }

    /// Compares store and catalog.
    ///
    /// # Errors
    /// See [`TransformError`].
    pub async fn scrub(&self) -> Result<scrub::Scrubbed, TransformError> {
        scrub::scrub(&self.shared).await
    }
}

impl TransformHandle {
    /// The jobs, to be run by hand beside the loops.
    pub fn jobs(&self) -> Jobs {
        self.jobs.clone()
    }

    /// Lands everything that is in the log now. Returns the next offset of each slot.
    ///
    /// # Errors
    /// The first worker's error.
    pub async fn flush(&self) -> Result<Vec<Offset>, TransformError> {
        self.workers.flush().await
    }

    /// Completes when a worker or a job's loop ends though nobody asked it to; with its error.
    pub async fn failed(&mut self) -> TransformError {
        tokio::select! {
            ended = self.owner.join_next() => match ended {
                Some(Ok(Err(error))) => error,
                Some(Ok(Ok(()))) | None => TransformError::Unavailable("a land worker has ended".into()),
                Some(Err(_)) => TransformError::Integrity("a land worker has panicked".into()),
            },
            ended = self.loops.join_next() => match ended {
                Some(Err(_)) => TransformError::Integrity("a job has panicked".into()),
                Some(Ok(())) | None => TransformError::Unavailable("a job's loop has ended".into()),
            },
        }
    }

    /// Stops the loops, lands what is in the log, and ends the workers.
    ///
    /// # Errors
    /// The first worker's error; everything not landed is still in the log.
    pub async fn shutdown(mut self) -> Result<(), TransformError> {
        // A receiver may be gone already.
        let _ = self.stop.send(true);
        let landed = async {
            let flushed = self.workers.flush().await;
            let _ = self.ending.send(true);
            self.workers.end();
            while let Some(ended) = self.owner.join_next().await {
                ended.map_err(|_| TransformError::Integrity("a land worker has panicked".into()))??;
            }
            flushed.map(|_| ())
        };
        // Side by side: a loop hears of the stop only where it waits, and what is left to land must not wait for that.
        let (landed, ()) = tokio::join!(landed, async { while self.loops.join_next().await.is_some() {} });
        landed
    }
}
