//! A process with its roles on one data directory.
use super::{
    DataDir, Desk, Endpoints, Roles, StartError,
    desk::Pipeline,
    gate::{Gate, Readers},
    housekeeping,
    land::{self, Land},
    listeners::Listeners,
    metrics::{NodeMetrics, Totals},
    progress::Progress,
    readers,
    readiness::Ready,
    stages,
    stop::turned,
    stores::{Events, Stores},
    supervisor::Supervisor,
};
use crate::{config::Config, control::Control};
use prometheus_client::registry::Registry as Metrics;
use query_api::{engine::Engine, http::Api};
use records::Appender;
use serve::{TlsListener, operations};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use warehouse::catalog::Catalog;

/// How long requests that run may still take, what is left may take to land, and all else to end: under ten seconds.
const ANSWER: Duration = Duration::from_millis(2500);
const LAND: Duration = Duration::from_secs(4);
const REST: Duration = Duration::from_millis(500);

/// A running process.
pub struct Node {
    endpoints: Endpoints,
    desk: Arc<Desk>,
    land: Land,
    engine: Option<Engine>,
    api: Option<Api>,
    events: Events,
    stores: Stores,
    metrics: Arc<NodeMetrics>,
    /// What takes requests; it ends first.
    front: Supervisor,
    /// What works on.
    back: Supervisor,
    closing: watch::Sender<bool>,
    ending: watch::Sender<bool>,
    // Dropped last: until then nobody else may open the directory.
    directory: DataDir,
}

impl Node {
    /// Opens everything, starts what the roles need, and says where it listens.
    ///
    /// # Errors
    /// [`StartError`]; what had been started has ended then.
    pub async fn start(config: &Config, directory: DataDir, roles: Roles) -> Result<Self, StartError> {
        roles.check(config)?;
        Endpoints::withdraw(directory.path())?;
        let mut metrics = Metrics::default();
        let stores = Stores::open(config, &directory, roles.ingest).await?;
        let events = stores.open_events(config, &directory).await?;
        let listeners = Listeners::bind(config, &directory, &stores, roles, &mut metrics).await?;
        let (engine, reading) = match roles.query_api {
            true => {
                let (engine, tasks) = readers::start(config, &stores, &events, &mut metrics).await?;
                (Some(engine), Some(tasks))
            }
            false => (None, None),
        };
        let (land, landing) = match roles.transform {
            true => {
                let nudged = engine.clone();
                let committed = Arc::new(move |slot| nudged.iter().for_each(|engine| engine.nudge(slot)));
                let (land, task) = land::start(config, &directory, &stores, &events, committed, &mut metrics)?;
                (land, Some(task))
            }
            false => (Land::elsewhere(config, events.log.clone(), stores.catalog.clone()), None),
        };
        let progress = Progress::new(events.log.clone(), stores.catalog.clone(), stores.clock.clone());
        let appender = Appender::new(progress.brake().on(events.log.clone()), stores.keyring.clone());
        appender.register(&mut metrics);
        let webhooks = match roles.ingest {
            true => Some(stages::webhooks(config, &stores, appender.clone(), &mut metrics)?),
            false => None,
        };
        let intake = match &webhooks {
            Some(ingest) => ingest.intake().clone(),
            None => stages::intake(config, &stores, appender.clone()),
        };
        let api = engine.clone().map(|engine| stages::api(config, &stores, engine, appender, &mut metrics));
        let node_metrics =
            Arc::new(NodeMetrics::new(stores.catalog.clone(), events.log.clone(), progress.clone(), &mut metrics));
        let ready = Ready::new(
            &stores,
            &events,
            roles,
            progress.clone(),
            config.land.max_age.0,
            listeners.metrics.clone(),
            config.webhooks.tls12_exception.clone(),
        );
        let refreshed = node_metrics.clone();
        let refresh: operations::Refresh = Arc::new(move || {
            let metrics = refreshed.clone();
            Box::pin(async move { metrics.refresh().await })
        });
        let operations = operations::bind(config.listen.operations, Arc::new(metrics), Arc::new(ready), Some(refresh));
        let operations = operations.await.map_err(StartError::part)?;
        let endpoints = listeners.endpoints(operations.local_addr());
        let readers = engine.clone().map_or(Readers::Elsewhere, Readers::Here);
        let gate = Gate::new(events.clone(), stores.catalog.clone(), readers, config.land.max_rows);
        let desk = Arc::new(Desk::new(
            config,
            &stores,
            Some(Pipeline {
                intake,
                gate: Arc::new(gate),
                catalog: stores.catalog.clone(),
                files: events.files.clone(),
                land: land.clone(),
            }),
        ));
        let control = Control::bind(directory.path(), desk.clone()).map_err(StartError::file(directory.path()))?;

        let (closing, closed) = watch::channel(false);
        let (ending, ended) = watch::channel(false);
        let (mut front, mut back) = (Supervisor::default(), Supervisor::default());
        let registry = stores.registry.clone();
        back.spawn("registry", {
            let stop = turned(ended.clone());
            async move {
                registry.run(stop).await;
                Ok(())
            }
        });
        if let Some(landing) = landing {
            back.spawn("land and jobs", landing.run(ended.clone(), LAND));
        }
        if let Some(reading) = reading {
            back.spawn("readers", readers::run(reading, ended.clone()));
        }
        back.spawn("housekeeping", housekeeping::run(events.log.clone(), progress, engine.clone(), ended.clone()));
        back.spawn("operations listener", {
            let stop = turned(ended);
            async move {
                operations.serve(stop, REST).await;
                Ok(())
            }
        });
        if let (Some(listener), Some(ingest)) = (listeners.ingest, &webhooks) {
            front.spawn("webhook listener", serve(listener, ingest.router(), closed.clone()));
        }
        if let (Some(listener), Some(api)) = (listeners.api, &api) {
            front.spawn("API listener", serve(listener, api.router(), closed.clone()));
        }
        front.spawn("control socket", control.run(turned(closed)));
        endpoints.publish(directory.path())?;
        tracing::info!(
            role = roles.name(),
            ingest = endpoints.ingest,
            api = endpoints.api,
            operations = endpoints.operations,
            "listening"
        );
        Ok(Self {
            endpoints,
            desk,
            land,
            engine,
            api,
            events,
            stores,
            metrics: node_metrics,
            front,
            back,
            closing,
            ending,
            directory,
        })
    }

    /// Where it listens.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What operators' commands work with.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Lands everything that is in the log, and lets readers take it from the files.
    ///
    /// # Errors
    /// Why it could not be.
    pub async fn commit(&self) -> Result<(), String> {
        self.land.flush().await?;
        match &self.engine {
            Some(engine) => engine.refresh().await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// How events ended.
    ///
    /// # Errors
    /// When catalog or log do not answer.
    pub async fn totals(&self) -> Result<Totals, String> {
        self.metrics.totals().await
    }

    /// Live data files and their bytes.
    ///
    /// # Errors
    /// When the catalog does not answer.
    pub async fn data_files(&self) -> Result<(u64, u64), String> {
        let (mut files, mut bytes) = (0, 0);
        for slot in super::stores::slots(&*self.events.log) {
            for file in self.stores.catalog.live_files(slot).await.map_err(|error| error.to_string())? {
                files += 1;
                bytes += file.bytes;
            }
        }
        Ok((files, bytes))
    }

    /// Completes when a part ends by itself.
    pub async fn failed(&mut self) -> String {
        tokio::select! {
            why = self.front.failed() => why,
            why = self.back.failed() => why,
        }
    }

    /// Stops in order: accept nothing more, answer what runs, land what is left.
    ///
    /// # Errors
    /// What failed on the way; what was acknowledged is in the log in any case.
    pub async fn stop(mut self) -> Result<(), String> {
        tracing::info!(step = "close", "no new requests; running ones are answered");
        let withdrawn = Endpoints::withdraw(self.directory.path());
        self.closing.send_replace(true);
        self.api.iter().for_each(Api::close_streams);
        let mut failures = self.front.ended("close", ANSWER + REST).await;
        crate::control::withdraw(self.directory.path());
        tracing::info!(step = "commit", "what is left is landed");
        self.ending.send_replace(true);
        failures.extend(self.back.ended("commit", LAND + REST).await);
        if tokio::time::timeout(REST, self.events.log.close()).await.is_err() {
            tracing::warn!(step = "end", "the log did not close in time; what it acknowledged is durable");
        }
        tracing::info!(step = "end", "stopped");
        failures.extend(withdrawn.err().map(|error| error.to_string()));
        if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
    }
}

async fn serve(listener: TlsListener, router: axum::Router, closed: watch::Receiver<bool>) -> Result<(), String> {
    listener.serve(router, turned(closed), ANSWER).await;
    Ok(())
}
