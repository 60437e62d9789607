//! Random sequences of verbs, from two openings of the database, compared with the model after each step.
use super::{
    Backend,
    build::*,
    model::{End, Model},
};
use proptest::prelude::*;
use schemas::{ids::DataFileId, log::Slot, time::Millis};
use std::sync::Arc;
use warehouse::catalog::{Catalog, CatalogError, DataFile, Generation, Lease, Outcome, Snapshot, SnapshotNumber};

#[derive(Clone, Debug)]
enum Step {
    TakeSlot { slot: u32 },
    TakeLease { holder: u8, later: bool },
    Land { slot: u32, stale: bool, shift: i64, length: i64, files: u64 },
    Replace { slot: u32, stale: bool, remove: Vec<prop::sample::Index>, files: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let slot = 0..SLOTS;
    prop_oneof![
        1 => slot.clone().prop_map(|slot| Step::TakeSlot { slot }),
        1 => (0u8..3, any::<bool>()).prop_map(|(holder, later)| Step::TakeLease { holder, later }),
        5 => (slot.clone(), prop::bool::weighted(0.1), prop_oneof![6 => Just(0i64), 1 => -4i64..5], -1i64..6, 0u64..4)
            .prop_map(|(slot, stale, shift, length, files)| Step::Land { slot, stale, shift, length, files }),
        3 => (slot, prop::bool::weighted(0.1), prop::collection::vec(any::<prop::sample::Index>(), 0..3), 0u64..3)
            .prop_map(|(slot, stale, remove, files)| Step::Replace { slot, stale, remove, files }),
    ]
}

/// The same ends, the same offsets, the same files in every snapshot there ever was.
pub fn random_interleavings_agree_with_the_model<B: Backend>() {
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    proptest!(config, |(steps in prop::collection::vec((step(), any::<bool>()), 1..40))| {
        runtime.block_on(async {
            let backend = B::fresh().await;
            let catalogs = [backend.open().await, backend.open().await];
            run(&catalogs, steps).await
        })?;
    });
}

async fn run(catalogs: &[Arc<dyn Catalog>; 2], steps: Vec<(Step, bool)>) -> Result<(), TestCaseError> {
    catalogs[0].bind_log(EPOCH, SLOTS).await.expect("bound");
    let (mut model, mut now, mut made) = (Model::default(), 0i64, 0u64);
    let mut pinned: Vec<Snapshot> = Vec::new();
    for (step, second) in steps {
        let catalog = &catalogs[usize::from(second)];
        let fresh = |made: &mut u64, count: u64, slot: u32| -> Vec<DataFile> {
            *made += count;
            (*made - count..*made).map(|n| DataFile { slot: Slot(slot), ..file(n) }).collect()
        };
        match step {
            Step::TakeSlot { slot } => {
                model.generation[slot as usize] += 1;
                let taken = catalog.take_slot(Slot(slot), "worker").await.expect("taken");
                prop_assert_eq!(taken.number, model.generation[slot as usize]);
            }
            Step::TakeLease { holder, later } => {
                now += if later { 1_000 } else { 1 };
                let taken = catalog.take_lease("job", &holder.to_string(), Millis(now), Millis(now + 500)).await;
                let number = taken.expect("asked").map(|lease| lease.number);
                prop_assert_eq!(number, model_lease(&mut model, holder, later));
            }
            Step::Land { slot, stale, shift, length, files } => {
                let from = model.next[slot as usize].saturating_add_signed(shift);
                let to = from.saturating_add_signed(length);
                let generation = model.generation[slot as usize] + u64::from(stale);
                let add = fresh(&mut made, files, slot);
                let want = model.land(slot, generation, from, to, &ids(&add));
                let mut commit = land(Generation { slot: Slot(slot), number: generation }, from, to, add);
                commit.totals.push((workspace(1), Outcome::Committed, to.saturating_sub(from)));
                prop_assert_eq!(end(catalog.commit_land(commit).await), want);
            }
            Step::Replace { slot, stale, remove, files } => {
                let all: Vec<DataFileId> = model.files.keys().copied().collect();
                let mut remove: Vec<DataFileId> =
                    if all.is_empty() { Vec::new() } else { remove.iter().map(|i| *i.get(&all)).collect() };
                remove.sort_unstable();
                remove.dedup();
                let lease = model.lease + u64::from(stale);
                let add = fresh(&mut made, files, slot);
                let want = model.replace(slot, lease, &remove, &ids(&add));
                let lease = Lease { job: "job".into(), number: lease };
                let mut swap = replacement(&lease, &[], add);
                (swap.slot, swap.remove) = (Slot(slot), remove);
                prop_assert_eq!(end(catalog.replace(swap).await), want);
            }
        }
        let reader = &catalogs[usize::from(!second)];
        for snapshot in reader.snapshots().await.expect("newest") {
            prop_assert_eq!(snapshot.number, SnapshotNumber(model.snapshot[snapshot.slot.0 as usize]));
            prop_assert_eq!(snapshot.next, model.next(snapshot.slot));
            if !pinned.contains(&snapshot) {
                pinned.push(snapshot);
            }
        }
    }
    for snapshot in pinned {
        let mut seen = ids(&catalogs[0].files(workspace(1), snapshot).await.expect("files"));
        seen.sort_unstable();
        prop_assert_eq!(seen, model.visible(snapshot.slot, snapshot.number.0));
    }
    let total: u64 = catalogs[0].totals().await.expect("totals").iter().map(|(_, _, n)| n).sum();
    prop_assert_eq!(total, model.committed);
    Ok(())
}

fn model_lease(model: &mut Model, holder: u8, later: bool) -> Option<u64> {
    // Every lease of these runs ends 500 ms after it was taken; `later` waits for longer than that.
    if model.holder.is_some_and(|holds| holds != holder) && !later {
        return None;
    }
    if model.holder != Some(holder) {
        model.lease += 1;
    }
    model.holder = Some(holder);
    Some(model.lease)
}

fn end(result: Result<Snapshot, CatalogError>) -> End {
    match result {
        Ok(snapshot) => End::Done(snapshot.number.0, snapshot.next.0),
        Err(CatalogError::Fenced(_)) => End::Fenced,
        Err(CatalogError::Misplaced { next, .. }) => End::Misplaced(next.0),
        Err(CatalogError::NotLive(id)) => End::NotLive(id),
        Err(other) => panic!("{other}"),
    }
}
