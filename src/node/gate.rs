//! Holds imports back while a slot is busy.
use super::stores::Events;
use async_trait::async_trait;
use ingest::LagGate;
use parking_lot::Mutex;
use query_api::engine::Engine;
use schemas::log::{Offset, Slot};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::Instant;
use warehouse::catalog::{Catalog, SqlCatalog};

/// How often a busy slot is looked at again.
const PAUSE: Duration = Duration::from_millis(20);
/// Records that readers have not seen yet, far less than a second's worth.
const UNREAD: u64 = 5000;
/// In how long readers that cannot be asked have surely read that many: 25,000 a second of each slot.
const READ: Duration = Duration::from_millis(200);

/// Who shows what is in the log.
pub enum Readers {
    /// This process.
    Here(Engine),
    /// Processes that cannot be asked how far they are.
    Elsewhere,
    /// Nobody, at present.
    Nowhere,
}

/// Lets an import go on while readers are less than a second behind and land keeps up.
pub struct Gate {
    events: Events,
    catalog: Arc<SqlCatalog>,
    readers: Readers,
    paces: Mutex<HashMap<Slot, Pace>>,
    /// Records that may wait for land. Without a bound an import would fill the log, and the log's limit stops webhooks.
    unlanded: u64,
}

impl Gate {
    /// A gate; `max_rows` is what land commits at once.
    pub fn new(events: Events, catalog: Arc<SqlCatalog>, readers: Readers, max_rows: u64) -> Self {
        Self { events, catalog, readers, paces: Mutex::default(), unlanded: max_rows.saturating_mul(2) }
    }

    async fn is_open(&self, slot: Slot) -> bool {
        if let Readers::Here(engine) = &self.readers
            && engine.tail_stats().iter().any(|tail| tail.slot == slot && tail.lag > UNREAD)
        {
            return false;
        }
        let (end, landed) = (self.events.log.end(slot).await, self.catalog.snapshot(slot).await);
        // Appending says what is wrong.
        let (Ok(end), Ok(landed)) = (end, landed) else { return true };
        if matches!(self.readers, Readers::Elsewhere) {
            let now = Instant::now();
            let mut paces = self.paces.lock();
            if !paces.entry(slot).or_insert(Pace { since: now, from: end }).admits(now, end) {
                return false;
            }
        }
        end.0.saturating_sub(landed.next.0) <= self.unlanded
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

/// How much came into a slot since when.
struct Pace {
    since: Instant,
    from: Offset,
}

impl Pace {
    /// More may come, now that the slot ends there.
    fn admits(&mut self, now: Instant, end: Offset) -> bool {
        if now.duration_since(self.since) >= READ {
            *self = Self { since: now, from: end };
        }
        end.0.saturating_sub(self.from.0) < UNREAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_that_cannot_be_asked_get_no_more_than_they_read() {
        let begun = Instant::now();
        let mut pace = Pace { since: begun, from: Offset(70) };
        let (mut end, mut now) = (70, begun);
        let mut admitted = 0;
        for _ in 0..1000 {
            if pace.admits(now, Offset(end)) {
                (end, admitted) = (end + 1000, admitted + 1000);
            }
            now += Duration::from_millis(1);
        }
        assert_eq!(admitted, 5 * UNREAD, "in a second");
    }
}
