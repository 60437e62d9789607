//! What `/metrics` shows beyond what each part counts for itself.
use super::progress::{Progress, SlotProgress};
use event_log::SharedLog;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};
use warehouse::catalog::{Catalog, Outcome, SqlCatalog};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySlot {
    slot: u32,
}

/// How events ended, over all processes on this catalog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// In data files.
    pub committed: u64,
    /// Dropped as copies.
    pub duplicates: u64,
    /// In dead letters.
    pub dead_lettered: u64,
    /// Only counted.
    pub ignored: u64,
    /// Gone from the log before they were landed.
    pub lost: u64,
    /// In the log, not landed yet.
    pub waiting: u64,
}

impl Totals {
    /// What was added since an earlier look.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            committed: self.committed.saturating_sub(earlier.committed),
            duplicates: self.duplicates.saturating_sub(earlier.duplicates),
            dead_lettered: self.dead_lettered.saturating_sub(earlier.dead_lettered),
            ignored: self.ignored.saturating_sub(earlier.ignored),
            lost: self.lost.saturating_sub(earlier.lost),
            waiting: self.waiting,
        }
    }

    /// All of them: what was acknowledged.
    pub fn accepted(&self) -> u64 {
        self.committed + self.duplicates + self.dead_lettered + self.ignored + self.lost + self.waiting
    }
}

/// The gauges and counters, and where their values come from.
pub struct NodeMetrics {
    catalog: Arc<SqlCatalog>,
    log: SharedLog,
    progress: Progress,
    events: Family<ByOutcome, Counter>,
    ignored: Family<ByReason, Counter>,
    waiting: Family<BySlot, Gauge>,
    age: Gauge,
    log_bytes: Gauge,
}

impl NodeMetrics {
    /// Registers them.
    pub fn new(catalog: Arc<SqlCatalog>, log: SharedLog, progress: Progress, registry: &mut Registry) -> Self {
        let metrics = Self {
            catalog,
            log,
            progress,
            events: Family::default(),
            ignored: Family::default(),
            waiting: Family::default(),
            age: Gauge::default(),
            log_bytes: Gauge::default(),
        };
        registry.register(
            "chatmai_events",
            "Events by outcome, copies included, since the data directory was made; accepted is the sum of the others once all is committed",
            metrics.events.clone(),
        );
        registry.register("chatmai_ignored_events", "Events that are only counted, by reason", metrics.ignored.clone());
        registry.register(
            "chatmai_land_lag_records",
            "Records in the log that no file holds yet",
            metrics.waiting.clone(),
        );
        registry.register_with_unit(
            "chatmai_commit_age",
            "How long the oldest of them has waited for a commit, as far as was looked",
            Unit::Seconds,
            metrics.age.clone(),
        );
        registry.register_with_unit(
            "chatmai_log_size",
            "What the log takes on the disk",
            Unit::Bytes,
            metrics.log_bytes.clone(),
        );
        metrics
    }

    /// Reads how events ended.
    ///
    /// # Errors
    /// When catalog or log do not answer.
    pub async fn totals(&self) -> Result<Totals, String> {
        Ok(self.read().await?.0)
    }

    /// Totals come before offsets: a commit in between then counts as not yet accepted, and not twice.
    async fn read(&self) -> Result<(Totals, BTreeMap<&'static str, u64>), String> {
        let rows = self.catalog.totals().await.map_err(|error| error.to_string())?;
        let progress = self.progress.look().await.map_err(|error| error.to_string())?;
        let mut totals = Totals { waiting: progress.iter().map(SlotProgress::waiting).sum(), ..Totals::default() };
        let mut ignored = BTreeMap::new();
        for (_, outcome, count) in rows {
            match outcome {
                Outcome::Committed => totals.committed += count,
                Outcome::Duplicate => totals.duplicates += count,
                Outcome::DeadLettered => totals.dead_lettered += count,
                Outcome::Lost => totals.lost += count,
                Outcome::Ignored(reason) => {
                    totals.ignored += count;
                    *ignored.entry(reason.as_str()).or_default() += count;
                }
            }
        }
        for slot in progress {
            let waiting = i64::try_from(slot.waiting()).unwrap_or(i64::MAX);
            self.waiting.get_or_create(&BySlot { slot: slot.slot.0 }).set(waiting);
        }
        Ok((totals, ignored))
    }

    /// Brings everything up to date; what does not answer keeps its last value.
    pub async fn refresh(&self) {
        match self.read().await {
            Ok((totals, ignored)) => {
                self.show("accepted", totals.accepted());
                self.show("committed", totals.committed);
                self.show("duplicates", totals.duplicates);
                self.show("dead_lettered", totals.dead_lettered);
                self.show("ignored", totals.ignored);
                if totals.lost > 0 {
                    self.show("lost", totals.lost);
                }
                for (reason, count) in ignored {
                    self.ignored.get_or_create(&ByReason { reason }).inner().fetch_max(count, Ordering::Relaxed);
                }
            }
            Err(error) => tracing::warn!(%error, "the totals cannot be read now"),
        }
        self.age.set(i64::try_from(self.progress.age().as_secs()).unwrap_or(i64::MAX));
        self.log_bytes.set(i64::try_from(self.log.disk_bytes()).unwrap_or(i64::MAX));
    }

    /// A counter never goes back, also where two looks overtake each other.
    fn show(&self, outcome: &'static str, value: u64) {
        self.events.get_or_create(&ByOutcome { outcome }).inner().fetch_max(value, Ordering::Relaxed);
    }
}
