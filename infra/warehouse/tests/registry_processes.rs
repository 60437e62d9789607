//! The registry in several processes at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#[macro_use]
#[path = "suite/process.rs"]
mod process;

use keys::FileKms;
use process::{House, conflict, process};
use schemas::{clock::SeededEntropy, ids::WorkspaceId, kind::Platform};
use std::sync::Arc;
use warehouse::registry::{Registry, Scope};

on_each_database!(
    many_may_open_first,
    a_page_that_two_processes_want_is_one_ones,
    an_import_connection_is_made_once,
    processes_see_each_others_changes,
    the_loop_brings_changes_and_stops,
);

async fn many_may_open_first(house: House) {
    // The root keys are the key store's to make; what is raced for here is `system`.
    FileKms::open(&house.directory.path().join("kms"), Arc::new(SeededEntropy::new(0))).expect("a kms");
    let opened = futures::future::join_all((0..4).map(|_| process(&house))).await;
    for process in opened {
        assert_eq!(process.registry.view().workspaces[&WorkspaceId::SYSTEM].name, "system");
    }
}

async fn a_page_that_two_processes_want_is_one_ones(house: House) {
    let (one, two) = (process(&house).await.registry, process(&house).await.registry);
    let shop = one.add_workspace("Shop", "UTC", None).await.expect("added").id;
    let bar = two.add_workspace("Bar", "UTC", None).await.expect("added").id;
    for page in ["11", "12", "13", "14"] {
        let (a, b) = tokio::join!(
            one.add_connection(shop, Platform::Facebook, "a", Some(page)),
            two.add_connection(bar, Platform::Facebook, "b", Some(page)),
        );
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        conflict(if a.is_ok() { b } else { a });
    }
}

async fn an_import_connection_is_made_once(house: House) {
    let (one, two) = (process(&house).await.registry, process(&house).await.registry);
    let shop = one.add_workspace("Shop", "UTC", None).await.expect("added").id;
    let bar = one.add_workspace("Bar", "UTC", None).await.expect("added").id;
    for name in ["Old inbox", "old inbox", "Line"] {
        let made = futures::future::join_all(
            [&one, &two, &one, &two].map(|registry| registry.import_connection(shop, Platform::Line, name)),
        );
        let made: Vec<_> = made.await.into_iter().map(|made| made.expect("found or made")).collect();
        assert!(made.iter().all(|connection| *connection == made[0]), "{made:?}");
        assert!(made[0].import && made[0].active && made[0].name == name && made[0].external_id.is_none());
    }
    let shops = one.import_connection(shop, Platform::Line, "Line").await.expect("found").id;
    assert_ne!(one.import_connection(shop, Platform::Shopee, "Line").await.expect("made").id, shops);
    assert_ne!(one.import_connection(bar, Platform::Line, "Line").await.expect("made").id, shops);
    // A disabled one keeps its name, as its conversations are still there.
    one.disable_connection(shops).await.expect("disabled");
    let found = two.import_connection(shop, Platform::Line, "Line").await.expect("found");
    assert_eq!(found.id, shops);
    two.refresh().await.expect("asked");
    assert!(!two.import_connection(shop, Platform::Line, "Line").await.expect("found").active);
}

async fn processes_see_each_others_changes(house: House) {
    let (one, two) = (process(&house).await.registry, process(&house).await.registry);
    assert!(!two.refresh().await.expect("asked"), "nothing has changed");
    let shop = one.add_workspace("Shop", "UTC", None).await.expect("added");
    let page = one.add_connection(shop.id, Platform::Facebook, "Page", Some("1")).await.expect("added");
    let (id, key) = one.add_key(shop.id, &[Scope::Read]).await.expect("added");
    assert!(one.find_key(&key).is_some(), "at once where it was made");
    assert_eq!(two.find_key(&key), None);
    assert!(two.refresh().await.expect("asked"));
    assert!(!two.refresh().await.expect("asked"));
    assert_eq!(*two.view().workspaces[&shop.id], shop);
    assert_eq!(*two.view().connections[&page.id], page);
    assert_eq!(two.find_key(&key).expect("known").id, id);
    let before = two.view();
    two.revoke_key(id).await.expect("revoked");
    two.revoke_key(id).await.expect("again");
    two.disable_connection(page.id).await.expect("disabled");
    assert_eq!(two.find_key(&key), None);
    assert!(one.find_key(&key).is_some(), "until it looks");
    assert!(one.refresh().await.expect("asked"));
    assert_eq!(one.find_key(&key), None);
    assert!(one.view().api_keys.is_empty() && one.view().pages.is_empty());
    assert!(!one.view().connections[&page.id].active);
    assert!(before.connections[&page.id].active, "a view that was taken does not change");
    assert!(Registry::key_looks_valid(&key), "the form says nothing about the key");
}

async fn the_loop_brings_changes_and_stops(house: House) {
    let (one, two) = (process(&house).await.registry, process(&house).await.registry);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(two.clone().run(async move { drop(stopped.await) }));
    let (_, key) = one.add_key(WorkspaceId::SYSTEM, &[Scope::Read]).await.expect("added");
    let seen = async {
        while two.find_key(&key).is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), seen).await.expect("the loop looks");
    stop.send(()).expect("running");
    running.await.expect("stopped");
}

/// Not timed in a test: run it by hand with `--ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure_opening_10_000_workspaces() {
    let house = House::new();
    let registry = process(&house).await.registry;
    let began = std::time::Instant::now();
    for n in 0..10_000u64 {
        let shop = registry.add_workspace(&format!("Shop {n}"), "Asia/Bangkok", None).await.expect("added").id;
        let page = n.to_string();
        registry.add_connection(shop, Platform::Facebook, "Page", Some(&page)).await.expect("added");
    }
    println!("20,000 additions in {:?}", began.elapsed());
    drop(registry);
    for _ in 0..3 {
        let began = std::time::Instant::now();
        let process = process(&house).await;
        println!("opened {} workspaces in {:?}", process.registry.view().workspaces.len(), began.elapsed());
    }
}
