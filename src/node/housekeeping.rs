//! What has to be done now and then: let go of the log's past, and look how far land is behind.
use super::{progress::Progress, stores::slots};
use event_log::{EventLog, SharedLog};
use query_api::engine::Engine;
use schemas::log::{Offset, Slot};
use std::time::Duration;
use tokio::{sync::watch, time::MissedTickBehavior};

const INTERVAL: Duration = Duration::from_secs(1);
/// Every so many intervals the log is truncated and looks after its old files.
const TRUNCATE_EVERY: u32 = 5;

/// Up to where a slot's past may go: what is landed, and what no reader needs.
fn below(committed: Offset, pins: &[(Slot, Offset)], slot: Slot) -> Option<Offset> {
    // A reader that says nothing about the slot may need all of it.
    pins.iter().filter(|(of, _)| *of == slot).map(|(_, pin)| *pin).min().map(|pin| pin.min(committed))
}

/// Runs until `stop`.
pub async fn run(
    log: SharedLog,
    progress: Progress,
    engine: Option<Engine>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), String> {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count: u32 = 0;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            _ = ticks.tick() => {}
        }
        count = count.wrapping_add(1);
        if let Err(error) = progress.look().await {
            tracing::warn!(%error, "it cannot be seen how far land is");
            continue;
        }
        if count.is_multiple_of(TRUNCATE_EVERY) {
            truncate(&*log, &progress, engine.as_ref()).await;
        }
    }
}

/// Lets go of what nobody needs. Pins are asked before commits: a reader only ever moves on to what is committed.
async fn truncate(log: &dyn EventLog, progress: &Progress, engine: Option<&Engine>) {
    // A log that is truncated by offsets is one process's alone, and such a process has all roles.
    let Some(pins) = engine.map(Engine::pins) else { return };
    let Ok(found) = progress.look().await else { return };
    for slot in slots(log) {
        let committed = found.iter().find(|progress| progress.slot == slot).map(|progress| progress.committed);
        let Some(below) = committed.and_then(|committed| below(committed, &pins, slot)) else { continue };
        if let Err(error) = log.truncate(slot, below).await {
            tracing::warn!(%error, "the log cannot be truncated now");
        }
    }
    if let Err(error) = log.maintain().await {
        tracing::warn!(%error, "the log's files cannot be looked after now");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_what_is_not_landed_or_still_read() {
        let pins = [(Slot(0), Offset(5)), (Slot(0), Offset(9)), (Slot(1), Offset(20))];
        assert_eq!(below(Offset(7), &pins, Slot(0)), Some(Offset(5)));
        assert_eq!(below(Offset(7), &pins, Slot(1)), Some(Offset(7)));
        assert_eq!(below(Offset(7), &pins, Slot(2)), None);
    }
}
