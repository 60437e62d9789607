//! Ingest: the webhooks of the platforms, dead letters and their replay, and lines of import. What it accepts is sealed
//! and in the event log before it says so.
//!
//! [`platforms`] is pure: bytes in, events out. [`Intake`] finds the connections, makes ids and appends. [`webhooks`]
//! puts HTTP, signatures and limits in front of it; [`import`] is the other way in.
pub mod import;
mod intake;
mod metrics;
pub mod platforms;
mod replay;
mod settings;
pub mod webhooks;

pub use import::{BadLine, ConnectionRef, ImportError, ImportLine, ImportSummary, Importer, LagGate};
pub use intake::{Accepted, Intake, IntakeError, IntakeOptions};
pub use settings::{AppSettings, IngestSettings, RateSettings, Secret};

use keys::{Keyring, Vault};
use records::Appender;
use schemas::clock::{SharedClock, SharedEntropy};
use std::sync::Arc;
use warehouse::registry::Registry;

/// What ingest is made of.
pub struct IngestOptions<'a> {
    /// Seals and appends.
    pub appender: Appender,
    /// Knows workspaces and connections.
    pub registry: Registry,
    /// Holds the channel secrets.
    pub vault: Vault,
    /// Makes ids.
    pub keyring: Keyring,
    /// The time.
    pub clock: SharedClock,
    /// Random ids for what is only counted.
    pub entropy: SharedEntropy,
    /// Limits, and Facebook's app.
    pub settings: IngestSettings,
    /// Where the metrics are registered.
    pub metrics: &'a mut prometheus_client::registry::Registry,
}

/// The webhooks, ready to be served. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    state: Arc<webhooks::State>,
}

impl Ingest {
    /// Puts ingest together.
    pub fn build(options: IngestOptions<'_>) -> Self {
        let intake = Intake::new(IntakeOptions {
            appender: options.appender,
            registry: options.registry,
            keyring: options.keyring,
            clock: options.clock.clone(),
            entropy: options.entropy,
            apps: options.settings.facebook.clone(),
        });
        let metrics = metrics::Metrics::register(options.metrics);
        Self { state: Arc::new(webhooks::State::new(intake, options.vault, options.clock, options.settings, metrics)) }
    }

    /// The webhooks of every platform, as its [`platforms::Entrance`] says. Give it `ConnectInfo<SocketAddr>`, or
    /// nobody is limited by address.
    pub fn router(&self) -> axum::Router {
        webhooks::router(self.state.clone())
    }

    /// The way in behind the webhooks, for replays.
    pub fn intake(&self) -> &Intake {
        self.state.intake()
    }
}
