//! What the stages are made of, from configuration and stores.
use super::{
    StartError,
    listeners::{app_ids, ingest_settings},
    stores::Stores,
};
use crate::config::Config;
use ingest::{Ingest, IngestOptions, Intake, IntakeOptions};
use prometheus_client::registry::Registry as Metrics;
use query_api::{
    engine::Engine,
    http::{Api, ApiMetrics, ApiOptions, ApiSettings},
};
use records::Appender;
use std::sync::Arc;

/// The webhooks.
///
/// # Errors
/// [`StartError::Config`] when a secret file cannot be read; [`StartError::Part`] when the vault is not open.
pub fn webhooks(
    config: &Config,
    stores: &Stores,
    appender: Appender,
    metrics: &mut Metrics,
) -> Result<Ingest, StartError> {
    let vault = stores.vault.clone().ok_or_else(|| StartError::Part("webhooks need the vault".into()))?;
    Ok(Ingest::build(IngestOptions {
        appender,
        registry: stores.registry.clone(),
        vault,
        keyring: stores.keyring.clone(),
        clock: stores.clock.clone(),
        entropy: stores.entropy.clone(),
        settings: ingest_settings(config)?,
        metrics,
    }))
}

/// The way in behind the webhooks, for imports and replays of a process that takes no webhooks.
pub fn intake(config: &Config, stores: &Stores, appender: Appender) -> Intake {
    Intake::new(IntakeOptions {
        appender,
        registry: stores.registry.clone(),
        keyring: stores.keyring.clone(),
        clock: stores.clock.clone(),
        entropy: stores.entropy.clone(),
        apps: app_ids(config),
    })
}

/// The query API.
pub fn api(config: &Config, stores: &Stores, engine: Engine, appender: Appender, metrics: &mut Metrics) -> Api {
    Api::build(ApiOptions {
        answers: Arc::new(engine),
        appender,
        registry: stores.registry.clone(),
        keyring: stores.keyring.clone(),
        clock: stores.clock.clone(),
        entropy: stores.entropy.clone(),
        metrics: ApiMetrics::register(metrics),
        settings: ApiSettings { requests_per_second: config.limits.requests_per_key, ..ApiSettings::default() },
    })
}
