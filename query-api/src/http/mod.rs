//! The contract's HTTP around the engine: who may ask ([`routes`], `guard`), what is asked (`query`, `cursor`), and in
//! which shape every answer and every error leaves (`envelope`, [`problem`]).
//!
//! Handlers see only a request that has a key of an active workspace with the scope its route asks for; they answer
//! with an item or an [`problem::ApiError`], and the envelope writes the rest.
pub mod answers;
mod cursor;
mod engine;
mod envelope;
mod events;
mod fresh;
mod guard;
mod inbox;
mod list;
mod messages;
mod metrics;
pub mod openapi;
pub mod problem;
mod query;
mod rate;
mod read;
pub mod routes;
mod settings;
mod slots;
mod stream;
mod words;

pub use metrics::ApiMetrics;
pub use settings::ApiSettings;

use answers::Answers;
use axum::{Router, middleware};
use bytes::Bytes;
use keys::Keyring;
use rate::RateLimit;
use records::Appender;
use routes::Endpoint;
use schemas::clock::{SharedClock, SharedEntropy};
use slots::StreamSlots;
use std::sync::Arc;
use tokio::sync::watch;
use warehouse::registry::Registry;

/// What the API is made of.
pub struct ApiOptions {
    /// Answers the questions.
    pub answers: Arc<dyn Answers>,
    /// Takes what members do.
    pub appender: Appender,
    /// Knows keys, workspaces and connections.
    pub registry: Registry,
    /// Authenticates cursors and makes event ids.
    pub keyring: Keyring,
    /// The time.
    pub clock: SharedClock,
    /// Request ids and ids of events.
    pub entropy: SharedEntropy,
    /// Counts and durations.
    pub metrics: ApiMetrics,
    /// Limits and intervals.
    pub settings: ApiSettings,
}

/// The HTTP API. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    shared: Shared,
}

/// What every handler has at hand.
pub(crate) type Shared = Arc<Inner>;

pub(crate) struct Inner {
    answers: Arc<dyn Answers>,
    appender: Appender,
    registry: Registry,
    keyring: Keyring,
    clock: SharedClock,
    entropy: SharedEntropy,
    metrics: ApiMetrics,
    settings: ApiSettings,
    rate: RateLimit,
    stream_slots: StreamSlots,
    /// True once live streams have to end.
    closing: watch::Sender<bool>,
    openapi: Option<Bytes>,
}

impl Api {
    /// Puts it together. Does no I/O.
    pub fn build(options: ApiOptions) -> Self {
        let ApiOptions { answers, appender, registry, keyring, clock, entropy, metrics, settings } = options;
        let rate = RateLimit::new(settings.requests_per_second);
        let stream_slots = StreamSlots::new(settings.streams_per_workspace);
        let shared = Inner {
            answers,
            appender,
            registry,
            keyring,
            clock,
            entropy,
            metrics,
            settings,
            rate,
            stream_slots,
            closing: watch::Sender::new(false),
            openapi: openapi::document(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The routes, ready to be served.
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        for endpoint in Endpoint::ALL {
            router = router.route(endpoint.path(), endpoint.handler());
        }
        router
            // Around each route, so that nothing that was routed is answered unguarded.
            .route_layer(middleware::from_fn_with_state(self.shared.clone(), guard::guard))
            // Around everything, also paths that nothing serves.
            .layer(middleware::from_fn_with_state(self.shared.clone(), envelope::envelope))
            .with_state(self.shared.clone())
    }

    /// Ends the live streams and refuses new ones: they would keep a stopping server from becoming idle.
    pub fn close_streams(&self) {
        self.shared.closing.send_replace(true);
    }
}
