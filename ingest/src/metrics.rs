//! What the operator sees. Labels are bounded: platforms, statuses, reasons and known connections only.
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use schemas::{
    ids::ConnectionId,
    kind::{DeadLetterReason, Platform},
};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByConnection {
    connection: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    platform: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPlatform {
    platform: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

/// Seconds; 20 ms is the aim and 500 ms a platform's limit (`DESIGN.md` §7).
const BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

/// The metrics of the webhooks.
#[derive(Clone)]
pub(crate) struct Metrics {
    signature_failures: Family<ByConnection, Counter>,
    posts: Family<ByStatus, Counter>,
    seconds: Family<ByPlatform, Histogram, fn() -> Histogram>,
    dead_letters: Family<ByReason, Counter>,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            signature_failures: Family::default(),
            posts: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            dead_letters: Family::default(),
        };
        registry.register(
            "chatmai_signature_failures",
            "Posts whose signature did not hold, by connection; `facebook` for the app",
            metrics.signature_failures.clone(),
        );
        registry.register("chatmai_webhook_posts", "Webhook posts by status of the answer", metrics.posts.clone());
        registry.register("chatmai_webhook_seconds", "Time until a webhook was answered", metrics.seconds.clone());
        registry.register(
            "chatmai_dead_letters_received",
            "Signed but unreadable bodies and elements, by reason",
            metrics.dead_letters.clone(),
        );
        metrics
    }

    /// Only for a connection that exists: anybody can invent others. A whole app's failures have none.
    pub(crate) fn signature_failed(&self, connection: Option<ConnectionId>) {
        let connection = connection.map_or_else(|| "facebook".into(), |id| id.to_string());
        self.signature_failures.get_or_create(&ByConnection { connection }).inc();
    }

    pub(crate) fn answered(&self, platform: Platform, status: u16, took: Duration) {
        let platform = platform.as_str();
        self.posts.get_or_create(&ByStatus { platform, status }).inc();
        self.seconds.get_or_create(&ByPlatform { platform }).observe(took.as_secs_f64());
    }

    pub(crate) fn dead_letter(&self, reason: DeadLetterReason) {
        self.dead_letters.get_or_create(&ByReason { reason: reason.as_str() }).inc();
    }
}
