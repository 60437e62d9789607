//! Follows the end of one slot's log.
use super::{READ_BYTES, SlotTail};
use event_log::LogError;
use schemas::clock::SharedClock;
use std::{sync::atomic::Ordering, time::Duration};

/// How long to wait before a log that does not answer is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// Reads until the log no longer holds what comes next, or does not read; returns why.
pub(crate) async fn follow(slot: &SlotTail, clock: &SharedClock) -> LogError {
    loop {
        let end = slot.end();
        let asked_at = clock.now();
        match slot.log.read(slot.id, end, READ_BYTES).await {
            Ok(batch) if batch.next > end => slot.push(batch.records, batch.next),
            Ok(_) => {
                slot.caught_up_at.store(asked_at.0, Ordering::SeqCst);
                slot.at_end.store(true, Ordering::SeqCst);
                let waited = slot.log.wait(slot.id, end).await;
                slot.caught_up_at.store(clock.now().0, Ordering::SeqCst);
                slot.at_end.store(false, Ordering::SeqCst);
                if let Err(error) = waited {
                    if !matches!(error, LogError::Unavailable(_)) {
                        return error;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Err(LogError::Unavailable(why)) => {
                tracing::warn!(slot = %slot.id, why, "the log does not answer");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return error,
        }
    }
}
