//! The readers: what answers the query API from files and log.
use super::{
    StartError,
    stop::turned,
    stores::{Events, Stores},
};
use crate::config::{Config, Size};
use prometheus_client::registry::Registry as Metrics;
use query_api::engine::{Engine, EngineMetrics, EngineOptions, EngineSettings, EngineTasks};
use tokio::sync::watch;

/// Pins the newest snapshots.
///
/// # Errors
/// [`StartError::Part`].
pub async fn start(
    config: &Config,
    stores: &Stores,
    events: &Events,
    metrics: &mut Metrics,
) -> Result<(Engine, EngineTasks), StartError> {
    let bytes = |size: Size| usize::try_from(size.0).unwrap_or(usize::MAX);
    let options = EngineOptions {
        log: events.log.clone(),
        keyring: stores.keyring.clone(),
        catalog: stores.catalog.clone(),
        files: events.files.clone(),
        duplicates: events.duplicates.clone(),
        registry: stores.registry.clone(),
        clock: stores.clock.clone(),
        settings: EngineSettings {
            index_bytes: bytes(config.query.index_bytes),
            tail_bytes: bytes(config.query.tail_bytes),
            ..EngineSettings::default()
        },
        metrics: EngineMetrics::register(metrics),
    };
    Engine::start(options).await.map_err(StartError::part)
}

/// Follows log and catalog until `stop`.
///
/// # Errors
/// Never by itself.
pub async fn run(tasks: EngineTasks, stop: watch::Receiver<bool>) -> Result<(), String> {
    tasks.run(turned(stop)).await;
    Ok(())
}
