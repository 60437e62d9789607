//! Slots that come and go: a process lands those that it has, lets go of the others before it says so, and another goes on
//! from the catalog.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod support;

use async_trait::async_trait;
use event_log::{
    LogError,
    assignment::{AllSlots, Assignment, Change, Release},
};
use schemas::log::{Offset, Slot};
use std::{sync::Arc, time::Duration};
use support::{House, at, message};
use tokio::sync::mpsc;
use transform::{LandSettings, faults::Faults};
use warehouse::catalog::{CatalogError, LandCommit};

/// Says what the test says.
struct Told(mpsc::UnboundedReceiver<Change>);

#[async_trait]
impl Assignment for Told {
    async fn next(&mut self) -> Result<Change, LogError> {
        self.0.recv().await.ok_or_else(|| LogError::Unavailable("the test has ended".into()))
    }
}

fn told() -> (mpsc::UnboundedSender<Change>, Box<Told>) {
    let (tell, told) = mpsc::unbounded_channel();
    (tell, Box::new(Told(told)))
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_go_from_one_process_to_another_and_every_event_lands_once() {
    let house = House::new(at("2026-11-20T12:00:00Z")).await;
    // Two slots, so two of these are in different ones.
    let shops = [house.workspace("one", None).await, house.workspace("two", None).await];
    assert_ne!(shops[0].slot, shops[1].slot);
    let (tell_a, told_a) = told();
    tell_a.send(Change::Assigned(vec![Slot(0), Slot(1)])).unwrap();
    let a = house.jobs().start_with(told_a);
    for shop in &shops {
        house.append(shop, &[message(1, 1, house.now())]).await;
    }
    assert_eq!(a.flush().await.unwrap(), [Offset(1), Offset(1)]);

    let (release, released) = Release::new();
    tell_a.send(Change::Revoked(vec![Slot(1)], release)).unwrap();
    released.await.unwrap_err();
    for shop in &shops {
        house.append(shop, &[message(2, 1, house.now())]).await;
    }
    assert_eq!(a.flush().await.unwrap(), [Offset(2)], "only the slot that is left");
    assert_eq!(house.catalog.snapshot(Slot(1)).await.unwrap().next, Offset(1));

    let (tell_b, told_b) = told();
    tell_b.send(Change::Assigned(vec![Slot(1)])).unwrap();
    let b = house.jobs().start_with(told_b);
    assert_eq!(b.flush().await.unwrap(), [Offset(2)]);
    // It comes back, in a later change.
    let (release, released) = Release::new();
    tell_b.send(Change::Revoked(vec![Slot(1)], release)).unwrap();
    released.await.unwrap_err();
    assert_eq!(b.flush().await.unwrap(), []);
    b.shutdown().await.unwrap();
    a.shutdown().await.unwrap();
    for shop in &shops {
        let ids: Vec<_> = house.rows(shop.id).await.iter().map(|row| row.event.id.0[3]).collect();
        assert_eq!(ids, [1, 2]);
    }
}

/// Whoever was stopped for long learns from its group that its slots are others'; until then it takes none back.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_fenced_leaves_the_slot_to_the_other_until_it_is_assigned_anew() {
    let house = House::new(at("2026-11-20T12:00:00Z")).await;
    let shop = house.workspace("one", None).await;
    let (tell, told) = told();
    tell.send(Change::Assigned(vec![shop.slot])).unwrap();
    let day = Duration::from_secs(86_400);
    let stale = house.jobs_with(LandSettings { max_age: day, yields: day, ..LandSettings::default() }).start_with(told);
    house.append(&shop, &[message(1, 1, house.now())]).await;
    assert_eq!(stale.flush().await.unwrap(), [Offset(1)]);
    let generation = house.catalog.take_slot(shop.slot, "another").await.unwrap();
    let others = async |from: u64, to: u64| {
        let (from, to) = (Offset(from), Offset(to));
        let (add, claimed, totals) = Default::default();
        house.catalog.commit_land(LandCommit { generation, from, to, add, claimed, totals, at: house.now() }).await
    };
    house.append(&shop, &[message(2, 1, house.now())]).await;
    assert!(stale.flush().await.unwrap_err().to_string().contains("fenced"));
    // Much longer than it waits after any other error.
    tokio::time::sleep(Duration::from_millis(500)).await;
    others(1, 1).await.expect("the slot is still the other one's");

    let (release, released) = Release::new();
    tell.send(Change::Revoked(vec![shop.slot], release)).unwrap();
    released.await.unwrap_err();
    tell.send(Change::Assigned(vec![shop.slot])).unwrap();
    // The worker is there once its change was seen.
    while house.catalog.snapshot(shop.slot).await.unwrap().next < Offset(2) {
        stale.flush().await.unwrap();
    }
    assert!(matches!(others(2, 2).await, Err(CatalogError::Fenced(_))));
    stale.shutdown().await.unwrap();
}

/// The other one may have been late, and this one the owner all the time.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_fenced_and_hears_nothing_takes_its_slot_again() {
    let house = House::new(at("2026-11-20T12:00:00Z")).await;
    let shop = house.workspace("one", None).await;
    let (day, soon) = (Duration::from_secs(86_400), Duration::from_millis(1));
    let owner = house.jobs_with(LandSettings { max_age: day, yields: soon, ..LandSettings::default() });
    let owner = owner.start_with(Box::new(AllSlots::new(house.log.slots())));
    owner.flush().await.unwrap();
    house.catalog.take_slot(shop.slot, "another").await.unwrap();
    house.append(&shop, &[message(1, 1, house.now())]).await;
    assert!(owner.flush().await.unwrap_err().to_string().contains("fenced"));
    owner.flush().await.unwrap();
    assert_eq!(house.catalog.snapshot(shop.slot).await.unwrap().next, Offset(1));
    owner.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_that_ends_is_a_failure_and_no_silence() {
    let house = House::new(at("2026-11-20T12:00:00Z")).await;
    let (tell, told) = told();
    let mut transform = house.jobs().start_with(told);
    drop(tell);
    assert!(matches!(transform.failed().await, transform::TransformError::Unavailable(_)));
}

/// Tells on which thread a point was come to.
struct Threads(mpsc::UnboundedSender<(&'static str, String)>);

impl Faults for Threads {
    fn at(&self, point: &'static str) {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        // Whoever asks may have seen enough.
        let _ = self.0.send((point, thread));
    }
}

/// A runtime that may be dropped inside another one, also by a failed assertion.
struct Own(Option<tokio::runtime::Runtime>);

impl Own {
    fn start(name: &str) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self(Some(builder.worker_threads(1).thread_name(name).enable_all().build().unwrap()))
    }

    fn handle(&self) -> &tokio::runtime::Handle {
        self.0.as_ref().unwrap().handle()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.0.take().unwrap().shutdown_background();
    }
}

/// Also the workers of slots that are assigned before anything runs.
#[tokio::test(flavor = "multi_thread")]
async fn workers_and_loops_run_on_the_threads_that_are_theirs() {
    let house = House::new(at("2026-11-20T12:00:00Z")).await;
    let shop = house.workspace("one", None).await;
    let (land, jobs) = (Own::start("land"), Own::start("jobs"));
    let (tell, mut told) = mpsc::unbounded_channel();
    let derives_at_once = LandSettings { derive_at: 1, ..LandSettings::default() };
    let all = Box::new(AllSlots::new(house.log.slots()));
    let transform =
        house.jobs_seen_by(derives_at_once, Arc::new(Threads(tell))).start_on(all, land.handle(), jobs.handle());
    house.append(&shop, &[message(1, 1, house.now())]).await;
    transform.flush().await.unwrap();
    let mut landed = 0;
    while let Some((point, thread)) = told.recv().await {
        let (job, step) = point.split_once('/').unwrap();
        landed += usize::from(job == "land");
        assert_eq!(thread, if job == "land" { "land" } else { "jobs" }, "{point}");
        if (job, step) == ("derive", "after-commit") {
            break;
        }
    }
    assert!(landed > 0);
    transform.shutdown().await.unwrap();
}
