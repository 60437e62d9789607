//! A process that does one command on a directory that no other process has: no listeners, no readers; and no landing
//! where other processes share log and catalog.
use super::{
    DataDir, Desk, StartError,
    desk::Pipeline,
    gate::{Gate, Readers},
    land::{self, Land, LandTask},
    stages,
    stop::turned,
    stores::{Events, Stores},
};
use crate::config::Config;
use prometheus_client::registry::Registry as Metrics;
use records::Appender;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle};

/// How long the last landing may take. A command is waited for, so it may take its time.
const PATIENCE: Duration = Duration::from_secs(600);

/// See the module's documentation.
pub struct Solo {
    desk: Desk,
    running: Option<Running>,
    // Dropped last: until then nobody else may open the directory.
    _directory: DataDir,
}

struct Running {
    events: Events,
    land: JoinHandle<Result<(), String>>,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
}

impl Solo {
    /// Opens what a command needs.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn open(config: &Config, directory: DataDir, with_pipeline: bool) -> Result<Self, StartError> {
        let stores = Stores::open(config, &directory, true).await?;
        if !with_pipeline {
            return Ok(Self { desk: Desk::new(config, &stores, None), running: None, _directory: directory });
        }
        let events = stores.open_events(config, &directory).await?;
        let intake = stages::intake(config, &stores, Appender::new(events.log.clone(), stores.keyring.clone()));
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(false);
        // Where other processes land, one that comes for a moment would only move slots back and forth.
        let (land, landing) = if config.shares_slots() {
            (Land::elsewhere(config, events.log.clone(), stores.catalog.clone()), None)
        } else {
            let (land, task) =
                land::start(config, &directory, &stores, &events, Arc::new(|_| {}), &mut Metrics::default())?;
            (land, Some(task))
        };
        let readers = if config.shares_slots() { Readers::Elsewhere } else { Readers::Nowhere };
        let gate = Gate::new(events.clone(), stores.catalog.clone(), readers, config.land.max_rows);
        let pipeline = Pipeline {
            intake,
            gate: Arc::new(gate),
            catalog: stores.catalog.clone(),
            files: events.files.clone(),
            land,
        };
        let land = tokio::spawn(async move {
            // Dropped with the task, also when it panics: that is what `ended` waits for.
            let _end = end;
            match landing {
                Some(task) => LandTask::run(task, stopped, PATIENCE).await,
                None => {
                    turned(stopped).await;
                    Ok(())
                }
            }
        });
        let desk = Desk::new(config, &stores, Some(pipeline));
        Ok(Self { desk, running: Some(Running { events, land, stop, ended }), _directory: directory })
    }

    /// What the command works with.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Completes when nothing is landed any more although nobody said so: an import would wait for room for ever.
    /// [`Self::close`] says why.
    pub async fn land_ended(&self) {
        match &self.running {
            Some(running) => turned(running.ended.clone()).await,
            None => std::future::pending().await,
        }
    }

    /// Lands what the command appended, and closes.
    ///
    /// # Errors
    /// When it could not be landed; it stays in the log.
    pub async fn close(self) -> Result<(), String> {
        let Some(running) = self.running else { return Ok(()) };
        // A worker that has ended by itself does not listen any more.
        let _ = running.stop.send(true);
        let landed = running.land.await.unwrap_or_else(|_| Err("a land worker has panicked".into()));
        running.events.log.close().await;
        landed
    }
}
