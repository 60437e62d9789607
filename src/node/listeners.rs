//! The sockets of the process's roles, bound before any of them is served.
use super::{DataDir, Endpoints, Roles, StartError, endpoints::url, stores::Stores};
use crate::config::{AppId, Config, Secret};
use ingest::{AppSettings, IngestSettings, RateSettings, platforms::facebook::AppIds};
use prometheus_client::registry::Registry as Metrics;
use schemas::kind::Platform;
use serve::{
    Limits, ListenerMetrics, TlsListener,
    tls::{development_identity, load_identity, server_config, server_config_with_tls12},
};
use std::{path::PathBuf, time::Duration};

/// How much longer than ingest the webhook listener waits for a body. With equal times either could be first.
const BODY_GRACE: Duration = Duration::from_secs(5);

/// The listeners that speak TLS.
pub struct Listeners {
    /// Webhooks.
    pub ingest: Option<TlsListener>,
    /// The query API.
    pub api: Option<TlsListener>,
    /// What they count.
    pub metrics: [ListenerMetrics; 2],
    /// What clients have to trust.
    pub ca_certificate: PathBuf,
}

impl Listeners {
    /// Binds those that the roles need.
    ///
    /// # Errors
    /// [`StartError`], when a certificate cannot be used or an address is taken.
    pub async fn bind(
        config: &Config,
        directory: &DataDir,
        stores: &Stores,
        roles: Roles,
        metrics: &mut Metrics,
    ) -> Result<Self, StartError> {
        let (identity, ca_certificate) = match (&config.tls.certificate, &config.tls.key) {
            (Some(certificate), Some(key)) => {
                let ca = config.tls.ca.as_ref().unwrap_or(certificate);
                let ca = ca.canonicalize().map_err(StartError::file(ca))?;
                (load_identity(certificate, key).map_err(StartError::part)?, ca)
            }
            _ => {
                let tls = directory.directory("tls")?;
                let made = development_identity(&tls, &*stores.clock).map_err(StartError::part)?;
                (made.identity, made.ca_certificate)
            }
        };
        let tls = server_config(&identity).map_err(StartError::part)?;
        let ingest_metrics = ListenerMetrics::new("ingest", metrics);
        let api_metrics = ingest_metrics.beside("api");
        let webhooks_tls = match &config.webhooks.tls12_exception {
            Some(reason) => {
                tracing::warn!(reason, "webhooks.tls12_exception: the webhook listener takes TLS 1.2 too");
                ingest_metrics.set_tls12_exception(true);
                server_config_with_tls12(&identity).map_err(StartError::part)?
            }
            None => tls.clone(),
        };
        let limits = limits(config);
        // Ingest watches its bodies itself and answers 408; the listener only ends what that would not.
        let webhooks = Limits { body_timeout: limits.body_timeout + BODY_GRACE, ..limits.clone() };
        let ingest = match roles.ingest {
            true => {
                let bound = TlsListener::bind(config.listen.ingest, webhooks_tls, webhooks, ingest_metrics.clone());
                Some(bound.await.map_err(StartError::part)?)
            }
            false => None,
        };
        let api = match roles.query_api {
            true => {
                let bound = TlsListener::bind(config.listen.api, tls, limits, api_metrics.clone());
                Some(bound.await.map_err(StartError::part)?)
            }
            false => None,
        };
        Ok(Self { ingest, api, metrics: [ingest_metrics, api_metrics], ca_certificate })
    }

    /// Where they and the operations listener are.
    pub fn endpoints(&self, operations: std::net::SocketAddr) -> Endpoints {
        let https = |listener: &Option<TlsListener>| listener.as_ref().map(|l| url("https", l.local_addr()));
        Endpoints {
            ingest: https(&self.ingest),
            api: https(&self.api),
            operations: url("http", operations),
            ca_certificate: self.ca_certificate.clone(),
        }
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        header_bytes: usize::try_from(config.limits.header_bytes.0).unwrap_or(usize::MAX),
        header_timeout: config.limits.read_timeout.0,
        body_timeout: config.limits.read_timeout.0,
        connections: config.limits.connections,
        connections_per_address: config.limits.connections_per_address,
        streams: config.limits.streams,
        ..Limits::default()
    }
}

/// Which Facebook app is which.
pub fn app_ids(config: &Config) -> AppIds {
    let texts = |ids: &[AppId]| ids.iter().map(|id| id.0.clone()).collect();
    let facebook = &config.platforms.facebook;
    AppIds {
        own: facebook.app_id.as_ref().map(|id| id.0.clone()),
        page_inbox: texts(&facebook.page_inbox_app_ids),
        human: texts(&facebook.human_app_ids),
    }
}

/// What the webhooks are told.
///
/// # Errors
/// [`StartError::Config`] when a secret file cannot be read.
pub fn ingest_settings(config: &Config) -> Result<IngestSettings, StartError> {
    let facebook = &config.platforms.facebook;
    let read = |files| -> Result<Vec<ingest::Secret>, StartError> {
        let secrets = Secret::read_all(files)?;
        Ok(secrets.iter().map(|secret| ingest::Secret::new(secret.expose().to_vec())).collect())
    };
    let (secrets, verify_tokens) = (read(&facebook.app_secret_file)?, read(&facebook.verify_token_file)?);
    let has_app = !secrets.is_empty() || !verify_tokens.is_empty();
    let app = has_app.then_some((Platform::Facebook, AppSettings { secrets, verify_tokens }));
    Ok(IngestSettings {
        body_max: usize::try_from(config.limits.body_bytes.0).unwrap_or(usize::MAX),
        header_max: usize::try_from(config.limits.header_bytes.0).unwrap_or(usize::MAX),
        read_timeout: config.limits.read_timeout.0,
        rate: RateSettings {
            per_connection: config.limits.posts_per_connection,
            per_address: config.limits.posts_per_address,
        },
        apps: app.into_iter().collect(),
        facebook: app_ids(config),
        ..IngestSettings::default()
    })
}
