//! The jobs between log and files, in a task that can be asked to land at once.
use super::{
    DataDir, StartError,
    background::{Background, Work},
    fault,
    log::assignment,
    stop::turned,
    stores::{Events, Stores, slots},
};
use crate::config::Config;
use event_log::SharedLog;
use schemas::log::{Offset, Slot};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};
use transform::{JobSettings, Jobs, LandSettings, TransformError, TransformHandle, TransformOptions};
use warehouse::catalog::{Catalog, SqlCatalog};

type Request = oneshot::Sender<Result<(), String>>;

/// Asks the jobs to land, or waits until another process has. Cheap to clone.
#[derive(Clone)]
pub struct Land {
    /// The jobs of this process, where it has them.
    here: Option<mpsc::Sender<Request>>,
    /// Other processes may have slots.
    is_shared: bool,
    patience: Duration,
    log: SharedLog,
    catalog: Arc<SqlCatalog>,
}

/// How often it is looked whether another process has landed, and for how long, beyond the time that it may wait anyway.
const LOOK: Duration = Duration::from_millis(100);
const ELSEWHERE_PATIENCE: Duration = Duration::from_secs(60);

/// The task that runs them.
pub struct LandTask {
    handle: TransformHandle,
    /// Where the workers run, and where the jobs do.
    _background: [Background; 2],
    requests: mpsc::Receiver<Request>,
}

/// Starts the jobs.
///
/// # Errors
/// [`StartError::Part`].
pub fn start(
    config: &Config,
    directory: &DataDir,
    stores: &Stores,
    events: &Events,
    committed: Arc<dyn Fn(Slot) + Send + Sync>,
    metrics: &mut prometheus_client::registry::Registry,
) -> Result<(Land, LandTask), StartError> {
    let options = TransformOptions {
        log: events.log.clone(),
        keyring: stores.keyring.clone(),
        catalog: stores.catalog.clone(),
        files: events.files.clone(),
        duplicates: events.duplicates.clone(),
        registry: stores.registry.clone(),
        clock: stores.clock.clone(),
        // The directory's lock says that there is one process on it. So the leases of one that was killed are this one's
        // own, and no job has to wait until they run out.
        holder: directory.id(&*stores.entropy)?,
        land: LandSettings {
            max_age: config.land.max_age.0,
            max_rows: config.land.max_rows,
            max_bytes: usize::try_from(config.land.max_bytes.0).unwrap_or(usize::MAX),
            ..LandSettings::default()
        },
        jobs: JobSettings {
            derive_interval: config.jobs.derive_interval.0,
            compact_interval: config.jobs.compact_interval.0,
            expire_interval: config.jobs.expire_interval.0,
            scrub_interval: config.jobs.scrub_interval.0,
            fold_after: config.jobs.fold_after.0,
            verify_days: config.jobs.verify_days,
            ..JobSettings::default()
        },
        faults: fault::faults(config.testing.fault.as_deref())?,
        committed,
    };
    let (log, catalog) = (events.log.clone(), stores.catalog.clone());
    let (sender, requests) = mpsc::channel(64);
    let assignment = fault::late(config.testing.fault.as_deref(), assignment(config, &*events.log)?);
    let background = |work| Background::start(work).map_err(StartError::part);
    let (workers, loops) = (background(Work::Land)?, background(Work::Jobs)?);
    let handle = Jobs::new(options, metrics).start_on(assignment, workers.handle(), loops.handle());
    let (is_shared, patience) = (config.shares_slots(), patience(config));
    Ok((
        Land { here: Some(sender), is_shared, patience, log, catalog },
        LandTask { handle, _background: [workers, loops], requests },
    ))
}

fn patience(config: &Config) -> Duration {
    config.land.max_age.0 + ELSEWHERE_PATIENCE
}

impl Land {
    /// For a process that lands nothing itself.
    pub fn elsewhere(config: &Config, log: SharedLog, catalog: Arc<SqlCatalog>) -> Self {
        Self { here: None, is_shared: true, patience: patience(config), log, catalog }
    }

    /// Returns once everything is landed that is in the log now, by this process or, where other processes have the slot,
    /// by them.
    ///
    /// # Errors
    /// Why it could not be landed; it stays in the log.
    pub async fn flush(&self) -> Result<(), String> {
        let mut ends = Vec::new();
        for slot in slots(&*self.log) {
            ends.push((slot, self.log.end(slot).await.map_err(|error| error.to_string())?));
        }
        if let Some(here) = &self.here {
            let ended = || "the land workers have ended".to_owned();
            let (answer, answered) = oneshot::channel();
            here.send(answer).await.map_err(|_| ended())?;
            match answered.await.map_err(|_| ended())? {
                // A slot that has just gone to another process is landed by that one.
                Err(why) if self.is_shared => tracing::info!(why, "waiting for whoever lands"),
                other => other?,
            }
        }
        let landed = tokio::time::timeout(self.patience, self.landed(&ends)).await;
        landed.unwrap_or_else(|_| Err("no transform process has landed the log's end in time".into()))
    }

    /// Waits until the catalog holds everything before these offsets.
    async fn landed(&self, ends: &[(Slot, Offset)]) -> Result<(), String> {
        for (slot, end) in ends {
            while self.catalog.snapshot(*slot).await.map_err(|error| error.to_string())?.next < *end {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }
}

impl LandTask {
    /// Runs until `stop`, then lands what is left, for at most `patience`.
    ///
    /// # Errors
    /// When a worker ends by itself.
    pub async fn run(mut self, stop: watch::Receiver<bool>, patience: Duration) -> Result<(), String> {
        loop {
            tokio::select! {
                () = turned(stop.clone()) => break,
                error = self.handle.failed() => return Err(error.to_string()),
                Some(request) = self.requests.recv() => {
                    // The asker may have left.
                    let _ = request.send(self.handle.flush().await.map(|_| ()).map_err(|error| error.to_string()));
                }
            }
        }
        match tokio::time::timeout(patience, self.handle.shutdown()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(TransformError::Unavailable(why))) => {
                tracing::warn!(
                    why,
                    "not everything could be landed; it is in the log, and the next start goes on from there"
                );
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                tracing::warn!(
                    "not everything was landed in time; it is in the log, and the next start goes on from there"
                );
                Ok(())
            }
        }
    }
}
