//! Whether the process can do its work, and why not.
use super::{
    Roles,
    progress::Progress,
    stores::{Events, Stores},
};
use futures::future::BoxFuture;
use keys::Keyring;
use serve::{ListenerMetrics, operations::Readiness};
use std::{sync::Arc, time::Duration};
use transform::scrub::owner_of;
use warehouse::{
    catalog::{Catalog, SqlCatalog},
    file::Files,
};

/// Waiting longer than this, and than ten times what land may wait anyway, is worth a word.
const LEAST_PATIENCE: Duration = Duration::from_secs(60);

/// A store may take this long to answer, tries again included: less than the whole check of readiness may.
const STORE_PATIENCE: Duration = Duration::from_secs(3);

/// What is asked.
pub struct Ready {
    catalog: Arc<SqlCatalog>,
    keyring: Keyring,
    files: Files,
    owner: String,
    roles: Roles,
    progress: Progress,
    patience: Duration,
    listeners: [ListenerMetrics; 2],
    /// Why the webhook listener takes TLS 1.2, if it does.
    tls12_exception: Option<String>,
}

impl Ready {
    /// Asks these.
    pub fn new(
        stores: &Stores,
        events: &Events,
        roles: Roles,
        progress: Progress,
        max_age: Duration,
        listeners: [ListenerMetrics; 2],
        tls12_exception: Option<String>,
    ) -> Self {
        let patience = LEAST_PATIENCE.max(max_age.saturating_mul(10));
        Self {
            catalog: stores.catalog.clone(),
            keyring: stores.keyring.clone(),
            files: events.files.clone(),
            owner: owner_of(events.log.epoch()),
            roles,
            progress,
            patience,
            listeners,
            tls12_exception,
        }
    }

    async fn ask(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Err(error) = self.catalog.ping().await {
            reasons.push(format!("catalog: {error}"));
        }
        if let Err(error) = self.keyring.ping().await {
            reasons.push(format!("key store: {error}"));
        }
        // Ingest needs no files, and only who lands can do something about the lag: a process that others wait for must not
        // be taken out of their way for it.
        if self.roles.transform || self.roles.query_api {
            match tokio::time::timeout(STORE_PATIENCE, self.files.claim(&self.owner)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => reasons.push(format!("store: {error}")),
                Err(_) => reasons.push(format!("store: it did not answer within {} s", STORE_PATIENCE.as_secs())),
            }
        }
        match self.progress.look().await {
            Ok(_) if self.roles.transform && self.progress.age() > self.patience => {
                reasons.push(format!("lag: nothing was landed for {} s", self.progress.age().as_secs()));
            }
            Ok(_) => {}
            Err(super::progress::ProgressError::Log(error)) => reasons.push(format!("log: {error}")),
            // The catalog has been asked above.
            Err(super::progress::ProgressError::Catalog(_)) => {}
        }
        reasons
    }
}

impl Readiness for Ready {
    fn reasons(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(self.ask())
    }

    fn notes(&self) -> Vec<String> {
        let refused = ["ingest", "api"].into_iter().zip(&self.listeners).flat_map(|(name, listener)| {
            let counts = listener.refused().into_iter().filter(|(_, count)| *count > 0);
            counts.map(move |(version, count)| format!("{name}: {count} clients refused that speak {version}"))
        });
        let exception = self.tls12_exception.iter().map(|reason| {
            let [ingest, _] = &self.listeners;
            let count = ingest.accepted_with_tls12();
            format!("ingest: TLS 1.2 is taken by webhooks.tls12_exception ({reason}); {count} handshakes so far")
        });
        refused.chain(exception).collect()
    }
}
