//! Counts and durations of the API.
use axum::http::StatusCode;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::time::Duration;

/// Upper bounds in seconds; dense around the 5 ms that a page may take.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteAndStatus {
    route: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

/// The API's metrics. Clones share their values.
#[derive(Clone, Debug)]
pub struct ApiMetrics {
    requests: Family<RouteAndStatus, Counter>,
    seconds: Family<Route, Histogram>,
    pub(super) streams: Gauge,
}

impl ApiMetrics {
    /// Adds them to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            streams: Gauge::default(),
        };
        registry.register("chatmai_api_requests", "Answers, by route and class of status", metrics.requests.clone());
        registry.register("chatmai_api_seconds", "Time to the answer's head, by route", metrics.seconds.clone());
        registry.register("chatmai_api_streams", "Live streams that are open", metrics.streams.clone());
        metrics
    }

    pub(super) fn answered(&self, route: &'static str, status: StatusCode, took: Duration) {
        let status = match status.as_u16() {
            0..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&RouteAndStatus { route, status }).inc();
        self.seconds.get_or_create(&Route { route }).observe(took.as_secs_f64());
    }
}
