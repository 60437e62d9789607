//! A log that does not hold what the catalog goes on with: found at each start, and passed over when an operator says so.
use super::{DataDir, StartError, log, stores::Stores};
use crate::config::Config;
use schemas::{
    ids::WorkspaceId,
    log::{Offset, Slot},
};
use std::ops::Range;
use warehouse::catalog::{Catalog, LandCommit, Outcome};

/// Why land cannot go on at `next` in a slot that holds this, if it cannot.
pub(super) fn between(slot: Slot, next: Offset, held: &Range<Offset>) -> Option<String> {
    let Range { start, end } = *held;
    if next < start {
        let lost = start.0 - next.0;
        return Some(format!(
            "the log of slot {slot} begins at {start}, but the catalog goes on at {next}: {lost} records were deleted before \
             they were landed, or log and catalog are parts of different backups. If the records cannot be brought back, \
             `chatmai log pass-gap --slot {slot} --to {start}` goes on without them"
        ));
    }
    (end < next).then(|| {
        format!(
            "the log holds {start} to {end} of slot {slot}, but the catalog goes on at {next}: they are parts of different \
             backups"
        )
    })
}

/// How many records are given up by going on at `to`; `Err` says why that is not done.
fn given_up(slot: Slot, next: Offset, held: &Range<Offset>, to: Offset) -> Result<u64, String> {
    let Range { start, end } = *held;
    if next >= start {
        return Err(format!(
            "slot {slot} has no gap: its log holds {start} to {end}, and the catalog goes on at {next}"
        ));
    }
    if to != start {
        return Err(format!(
            "the log of slot {slot} begins at {start}: nothing but `--to {start}` closes the gap, not {to}"
        ));
    }
    Ok(start.0 - next.0)
}

/// Lets land go on where the log begins, and counts what lay before as lost. Returns how many records that are.
///
/// # Errors
/// [`StartError::Usage`] where there is no such gap; else when a part does not open or answer. Nothing has changed then.
pub async fn pass(config: &Config, directory: DataDir, slot: Slot, to: Offset) -> Result<u64, StartError> {
    let stores = Stores::open(config, &directory, false).await?;
    let patience = log::Patience::of_a_start();
    let log = log::open(config, &directory, &stores.clock, &stores.entropy, patience).await?;
    if slot.0 >= log.slots() {
        return Err(StartError::Usage(format!("there is no slot {slot}; the log has {}", log.slots())));
    }
    stores.catalog.bind_log(log.epoch(), log.slots()).await.map_err(StartError::part)?;
    let next = stores.catalog.snapshot(slot).await.map_err(StartError::part)?.next;
    let held = log::held(log.as_ref(), slot, patience).await?;
    let lost = given_up(slot, next, &held, to).map_err(StartError::Usage)?;
    // As a worker would: one that still has the slot finds its generation gone, and takes the slot anew.
    let generation = stores.catalog.take_slot(slot, "pass-gap").await.map_err(StartError::part)?;
    let commit = LandCommit {
        generation,
        from: next,
        to,
        add: Vec::new(),
        claimed: Vec::new(),
        totals: vec![(WorkspaceId::SYSTEM, Outcome::Lost, lost)],
        at: stores.clock.now(),
    };
    stores.catalog.commit_land(commit).await.map_err(StartError::part)?;
    tracing::warn!(%slot, from = %next, %to, lost, "records that the log had deleted are given up");
    log.close().await;
    Ok(lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot(3);

    #[test]
    fn a_gap_is_found_on_both_sides_and_only_one_can_be_passed() {
        let held = Offset(10)..Offset(20);
        for next in 10..=20 {
            assert_eq!(between(SLOT, Offset(next), &held), None);
        }
        let before = between(SLOT, Offset(7), &held).expect("a gap");
        assert!(before.contains("3 records") && before.contains("--slot 3 --to 10"), "{before}");
        let behind = between(SLOT, Offset(21), &held).expect("a gap");
        assert!(!behind.contains("pass-gap"), "{behind}");
    }

    #[test]
    fn only_to_the_beginning_and_only_over_a_gap() {
        let held = Offset(10)..Offset(20);
        assert_eq!(given_up(SLOT, Offset(7), &held, Offset(10)), Ok(3));
        for (next, to) in [(7, 9), (7, 11), (7, 20), (10, 10), (15, 10), (15, 16), (21, 10), (21, 20)] {
            assert!(given_up(SLOT, Offset(next), &held, Offset(to)).is_err(), "{next} to {to}");
        }
    }
}
