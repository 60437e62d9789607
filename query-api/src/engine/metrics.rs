//! What the engine counts.
use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use schemas::log::Slot;

type BySlot = Vec<(&'static str, String)>;

/// What the engine counts; clones count into the same numbers.
#[derive(Clone, Debug)]
pub struct EngineMetrics {
    pub(super) tail_rows: Family<BySlot, Gauge>,
    pub(super) tail_bytes: Family<BySlot, Gauge>,
    pub(super) slot_lag: Family<BySlot, Gauge>,
    pub(super) visible_seconds: Histogram,
    pub(super) views: Gauge,
    pub(super) index_bytes: Gauge,
    pub(super) duplicates: Counter,
    pub(super) key_destroyed: Counter,
}

impl Default for EngineMetrics {
    fn default() -> Self {
        Self {
            tail_rows: Family::default(),
            tail_bytes: Family::default(),
            slot_lag: Family::default(),
            visible_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 18)),
            views: Gauge::default(),
            index_bytes: Gauge::default(),
            duplicates: Counter::default(),
            key_destroyed: Counter::default(),
        }
    }
}

impl EngineMetrics {
    /// Counters that `/metrics` shows.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("chatmai_tail_rows", "Records after the pinned snapshot", metrics.tail_rows.clone());
        registry.register("chatmai_tail_bytes", "Bytes of them held in memory", metrics.tail_bytes.clone());
        registry.register("chatmai_slot_lag", "Records in the log that were not read yet", metrics.slot_lag.clone());
        registry.register("chatmai_visible_seconds", "Received to visible", metrics.visible_seconds.clone());
        registry.register("chatmai_views", "Workspaces whose inbox is loaded", metrics.views.clone());
        registry.register("chatmai_index_bytes", "Bytes of inbox indexes", metrics.index_bytes.clone());
        registry.register(
            "chatmai_tail_duplicates",
            "Records of the tail that were copies",
            metrics.duplicates.clone(),
        );
        registry.register(
            "chatmai_tail_key_destroyed",
            "Records of the tail whose key is destroyed",
            metrics.key_destroyed.clone(),
        );
        metrics
    }

    pub(super) fn tail(&self, slot: Slot, rows: u64, bytes: u64, lag: u64) {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let labels = vec![("slot", slot.to_string())];
        self.tail_rows.get_or_create(&labels).set(signed(rows));
        self.tail_bytes.get_or_create(&labels).set(signed(bytes));
        self.slot_lag.get_or_create(&labels).set(signed(lag));
    }
}
