//! Runs a worker for each slot that this process has, as the assignment says.
use super::{Ended, Flush, Worker};
use crate::{Shared, TransformError};
use event_log::{
    LogError,
    assignment::{Assignment, Change},
};
use futures::FutureExt;
use parking_lot::Mutex;
use schemas::log::{Offset, Slot};
use std::{collections::BTreeMap, sync::Arc};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{AbortHandle, Id, JoinError, JoinSet},
};

type WorkerEnd = Result<(Id, Result<(), TransformError>), JoinError>;

/// The way to the workers that run now.
#[derive(Clone, Default)]
pub(crate) struct Workers(Arc<Mutex<BTreeMap<Slot, mpsc::Sender<Flush>>>>);

impl Workers {
    /// Lands everything that is in the log now, in the slots that this process has. Returns the next offset of each.
    ///
    /// # Errors
    /// The first worker's error; a worker whose slot goes to another process meanwhile has one.
    pub async fn flush(&self) -> Result<Vec<Offset>, TransformError> {
        let ended = || TransformError::Unavailable("a land worker has ended".into());
        let workers: Vec<_> = self.0.lock().values().cloned().collect();
        let mut answers = Vec::new();
        for worker in workers {
            let (sender, receiver) = oneshot::channel();
            worker.send(sender).await.map_err(|_| ended())?;
            answers.push(receiver);
        }
        let mut offsets = Vec::new();
        for answer in answers {
            offsets.push(answer.await.map_err(|_| ended())?.map_err(TransformError::Unavailable)?);
        }
        Ok(offsets)
    }

    /// Lets the workers land what is left, and end.
    pub fn end(&self) {
        self.0.lock().clear();
    }
}

/// See the module's documentation.
pub(crate) struct Owner {
    shared: Arc<Shared>,
    assignment: Box<dyn Assignment>,
    /// A change that came before the owner ran.
    first: Option<Result<Change, LogError>>,
    workers: Workers,
    running: Running,
    /// True once the workers end because they were told to.
    stopped: watch::Receiver<bool>,
}

impl Owner {
    /// An owner, and the way to its workers. Those of slots that are assigned already run from now on, so that a flush
    /// finds them.
    pub fn new(
        shared: Arc<Shared>,
        mut assignment: Box<dyn Assignment>,
        stopped: watch::Receiver<bool>,
    ) -> (Self, Workers) {
        let first = assignment.next().now_or_never();
        let workers = Workers::default();
        let mut owner =
            Self { shared, assignment, first: None, workers: workers.clone(), running: Running::default(), stopped };
        match first {
            Some(Ok(Change::Assigned(slots))) => slots.into_iter().for_each(|slot| owner.begin(slot)),
            other => owner.first = other,
        }
        (owner, workers)
    }

    /// Runs until the workers have been told to end, and have.
    ///
    /// # Errors
    /// The first worker's error; and when the assignment ends.
    pub async fn run(mut self) -> Result<(), TransformError> {
        if let Some(first) = self.first.take() {
            self.change(first).await?;
        }
        let mut stopped = self.stopped.clone();
        loop {
            tokio::select! {
                () = told(&mut stopped) => break,
                Some(ended) = self.running.tasks.join_next_with_id() => {
                    self.running.ended(ended)?;
                    // Only a stop lets a worker end without an error.
                    break;
                }
                change = self.assignment.next() => self.change(change).await?,
            }
        }
        while let Some(ended) = self.running.tasks.join_next_with_id().await {
            self.running.ended(ended)?;
        }
        self.assignment.leave().await;
        Ok(())
    }

    async fn change(&mut self, change: Result<Change, LogError>) -> Result<(), TransformError> {
        match change.map_err(|error| TransformError::Unavailable(error.to_string()))? {
            Change::Assigned(slots) => {
                tracing::debug!(?slots, "slots are assigned");
                for slot in slots {
                    self.begin(slot);
                }
            }
            Change::Revoked(slots, release) => {
                tracing::info!(?slots, "slots go to others");
                for slot in &slots {
                    self.workers.0.lock().remove(slot);
                }
                // Nothing is landed first: the next owner goes on from the catalog, and a worker is safe to stop anywhere.
                self.running.cut_off(&slots).await?;
                drop(release);
            }
        }
        Ok(())
    }

    fn begin(&mut self, slot: Slot) {
        let (sender, flushes) = mpsc::channel(16);
        self.workers.0.lock().insert(slot, sender);
        let worker = Worker { shared: self.shared.clone(), slot, flushes, is_well: false };
        let handle = self.running.tasks.spawn(async move {
            match worker.run().await {
                Ended::Stopped => Ok(()),
                Ended::Failed(error) => Err(error),
            }
        });
        self.running.slots.insert(handle.id(), (slot, handle));
    }
}

/// Completes when it is true, or nobody can say so any more.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // What is awaited is not kept: it holds a lock.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// The workers' tasks.
#[derive(Default)]
struct Running {
    tasks: JoinSet<Result<(), TransformError>>,
    slots: BTreeMap<Id, (Slot, AbortHandle)>,
}

impl Running {
    fn ended(&mut self, ended: WorkerEnd) -> Result<(), TransformError> {
        match ended {
            Ok((id, result)) => {
                self.slots.remove(&id);
                result
            }
            Err(error) => {
                self.slots.remove(&error.id());
                if error.is_cancelled() {
                    return Ok(());
                }
                Err(TransformError::Integrity("a land worker has panicked".into()))
            }
        }
    }

    /// Stops the workers of these slots where they are, and waits until they are gone.
    async fn cut_off(&mut self, slots: &[Slot]) -> Result<(), TransformError> {
        let concerned = |running: &Self| running.slots.values().any(|(slot, _)| slots.contains(slot));
        self.slots.values().filter(|(slot, _)| slots.contains(slot)).for_each(|(_, handle)| handle.abort());
        while concerned(self)
            && let Some(ended) = self.tasks.join_next_with_id().await
        {
            self.ended(ended)?;
        }
        Ok(())
    }
}
