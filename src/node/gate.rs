//! Holds imports back while a slot is busy.
use super::stores::Events;
use async_trait::async_trait;
use ingest::LagGate;
use query_api::engine::Engine;
use schemas::log::Slot;
use std::{sync::Arc, time::Duration};
use warehouse::catalog::{Catalog, SqlCatalog};

/// How often a busy slot is looked at again.
const PAUSE: Duration = Duration::from_millis(20);
/// Records that readers have not seen yet, far less than a second's worth.
const UNREAD: u64 = 5000;

/// Lets an import go on while readers are less than a second behind and land keeps up.
pub struct Gate {
    events: Events,
    catalog: Arc<SqlCatalog>,
    engine: Option<Engine>,
    /// Records that may wait for land. Without a bound an import would fill the log, and the log's limit stops webhooks.
    unlanded: u64,
}

impl Gate {
    /// A gate; `max_rows` is what land commits at once.
    pub fn new(events: Events, catalog: Arc<SqlCatalog>, engine: Option<Engine>, max_rows: u64) -> Self {
        Self { events, catalog, engine, unlanded: max_rows.saturating_mul(2) }
    }

    async fn is_open(&self, slot: Slot) -> bool {
        let unread = self.engine.as_ref().map(Engine::tail_stats).unwrap_or_default();
        if unread.iter().any(|tail| tail.slot == slot && tail.lag > UNREAD) {
            return false;
        }
        let (end, landed) = (self.events.log.end(slot).await, self.catalog.snapshot(slot).await);
        match (end, landed) {
            (Ok(end), Ok(landed)) => end.0.saturating_sub(landed.next.0) <= self.unlanded,
            // Appending says what is wrong.
            _ => true,
        }
    }
}

#[async_trait]
impl LagGate for Gate {
    async fn admit(&self, slot: Slot) {
        while !self.is_open(slot).await {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
