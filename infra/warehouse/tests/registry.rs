//! The registry: who exists, seen by one process and by another, and what of it lies on the disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
use keys::{FileKms, Keyring, KeyringOptions};
use schemas::{
    clock::{ManualClock, SeededEntropy, SharedEntropy},
    ids::{ApiKeyId, ConnectionId, WorkspaceId},
    kind::Platform,
    log::Slot,
    time::Millis,
};
use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use warehouse::{
    catalog::{SqlCatalog, SqlCatalogOptions},
    registry::{Registry, RegistryError, RegistryOptions, Scope},
};

const NOW: Millis = Millis(1_795_335_330_000);
const SLOTS: u32 = 4;
const LINE: &str = "U0123456789abcdef0123456789abcdef";

/// A process: its own handles on the shared files, and its own sequence of random bytes.
struct Process {
    registry: Registry,
    keyring: Keyring,
    clock: Arc<ManualClock>,
}

async fn process(directory: &Path) -> Process {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let entropy: SharedEntropy = Arc::new(SeededEntropy::new(SEED.fetch_add(1, Ordering::Relaxed)));
    let clock = ManualClock::at(NOW);
    let kms = FileKms::open(&directory.join("kms"), entropy.clone()).expect("a kms");
    let options =
        KeyringOptions { database: directory.join("keys.db"), kms, clock: clock.clone(), entropy: entropy.clone() };
    let keyring = Keyring::open(options).await.expect("a keyring");
    let options = SqlCatalogOptions { database: directory.join("catalog.db"), clock: clock.clone() };
    let catalog = SqlCatalog::open(options).await.expect("a catalog");
    let options = RegistryOptions { catalog, keyring: keyring.clone(), slots: SLOTS, clock: clock.clone(), entropy };
    let registry = Registry::open(options).await.expect("a registry");
    Process { registry, keyring, clock }
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn conflict<T: std::fmt::Debug>(result: Result<T, RegistryError>) {
    assert!(matches!(result, Err(RegistryError::Conflict(_))), "{result:?}");
}

fn refused<T: std::fmt::Debug>(result: Result<T, RegistryError>) {
    assert!(matches!(result, Err(RegistryError::Refused(_))), "{result:?}");
}

fn not_found<T: std::fmt::Debug>(result: Result<T, RegistryError>) {
    assert!(matches!(result, Err(RegistryError::NotFound(_))), "{result:?}");
}

#[tokio::test]
async fn the_first_open_makes_system() {
    let directory = directory();
    for _ in 0..2 {
        let registry = process(directory.path()).await.registry;
        let view = registry.view();
        assert_eq!(view.workspaces.len(), 1);
        let system = &view.workspaces[&WorkspaceId::SYSTEM];
        assert_eq!((system.name.as_str(), system.time_zone.as_str(), system.slot), ("system", "UTC", Slot(0)));
        assert!(system.active);
        registry.ping().await.expect("it answers");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_open_first() {
    let directory = directory();
    // The root keys are the key store's to make; what is raced for here is `system`.
    FileKms::open(&directory.path().join("kms"), Arc::new(SeededEntropy::new(0))).expect("a kms");
    let opened = futures::future::join_all((0..4).map(|_| process(directory.path()))).await;
    for process in opened {
        assert_eq!(process.registry.view().workspaces[&WorkspaceId::SYSTEM].name, "system");
    }
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let directory = directory();
    let first = process(directory.path()).await.registry;
    let shop = first.add_workspace("ร้านกาแฟ", "Asia/Bangkok", Some(90)).await.expect("added");
    let other = first.add_workspace("Other", "Europe/Berlin", None).await.expect("added");
    let line = first.add_connection(shop.id, Platform::Line, "Official", Some(LINE)).await.expect("added");
    let page = first.add_connection(shop.id, Platform::Facebook, "Page", Some("1048576")).await.expect("added");
    let old = first.import_connection(other.id, Platform::Line, "Old inbox").await.expect("added");
    let (read, read_key) = first.add_key(shop.id, &[Scope::Read]).await.expect("added");
    let (_, both_key) = first.add_key(other.id, &[Scope::Write, Scope::Read, Scope::Write]).await.expect("added");
    assert_eq!((shop.retention_days, other.retention_days), (90, 356));
    assert_ne!(shop.slot, other.slot, "the emptier slot");

    let second = process(directory.path()).await.registry;
    for registry in [first, second] {
        let view = registry.view();
        assert_eq!(view.workspaces.len(), 3);
        assert_eq!(*view.workspaces[&shop.id], shop);
        assert_eq!(*view.workspaces[&other.id], other);
        assert_eq!(view.connections.len(), 3);
        assert_eq!(*view.connections[&line.id], line);
        assert_eq!(*view.connections[&page.id], page);
        assert_eq!(*view.connections[&old.id], old);
        assert_eq!(view.pages, HashMap::from([((Platform::Facebook, "1048576".to_owned()), page.id)]));
        let found = registry.find_key(&read_key).expect("known");
        assert_eq!((found.id, found.workspace, found.scopes.as_slice()), (read, shop.id, &[Scope::Read][..]));
        assert!(found.may(Scope::Read) && !found.may(Scope::Write));
        let found = registry.find_key(&both_key).expect("known");
        assert!(found.may(Scope::Read) && found.may(Scope::Write));
        assert_eq!(found.scopes, [Scope::Read, Scope::Write]);
        assert_eq!(registry.find_key("cm_live_no"), None);
    }
}

#[tokio::test]
async fn what_has_not_the_right_form_is_refused() {
    let directory = directory();
    let registry = process(directory.path()).await.registry;
    refused(registry.add_workspace("", "UTC", None).await);
    refused(registry.add_workspace("a", "", None).await);
    refused(registry.add_workspace("a", "UTC", Some(357)).await);
    let shop = registry.add_workspace("Shop", "UTC", None).await.expect("added").id;
    refused(registry.add_connection(shop, Platform::Line, "a", None).await);
    refused(registry.add_connection(shop, Platform::Line, "a", Some("Ucafe")).await);
    refused(registry.add_connection(shop, Platform::Facebook, "a", Some("page")).await);
    refused(registry.add_connection(shop, Platform::Facebook, "", Some("1")).await);
    refused(registry.import_connection(shop, Platform::Line, &"a".repeat(201)).await);
    refused(registry.add_key(shop, &[]).await);
    let nobody = WorkspaceId([9; 16]);
    not_found(registry.add_connection(nobody, Platform::Facebook, "a", Some("1")).await);
    not_found(registry.import_connection(nobody, Platform::Line, "a").await);
    not_found(registry.add_key(nobody, &[Scope::Read]).await);
    not_found(registry.disable_connection(ConnectionId([9; 16])).await);
    not_found(registry.revoke_key(ApiKeyId([9; 16])).await);
    assert_eq!(registry.view().connections.len(), 0);
    assert!(!registry.refresh().await.expect("asked"), "what is refused changes nothing");
}

#[tokio::test]
async fn a_page_is_connected_once_and_a_line_account_once_per_workspace() {
    let directory = directory();
    let registry = process(directory.path()).await.registry;
    let one = registry.add_workspace("One", "UTC", None).await.expect("added").id;
    let two = registry.add_workspace("Two", "UTC", None).await.expect("added").id;
    let page = registry.add_connection(one, Platform::Facebook, "Page", Some("1048576")).await.expect("added");
    conflict(registry.add_connection(two, Platform::Facebook, "Mine", Some("1048576")).await);
    conflict(registry.add_connection(one, Platform::Facebook, "Again", Some("1048576")).await);
    registry.add_connection(two, Platform::Facebook, "Another", Some("1048577")).await.expect("added");
    registry.add_connection(one, Platform::Line, "Account", Some(LINE)).await.expect("added");
    conflict(registry.add_connection(one, Platform::Line, "Account", Some(LINE)).await);
    registry.add_connection(two, Platform::Line, "Account", Some(LINE)).await.expect("another workspace");

    // Disabled, the page is free for another workspace, and a webhook finds its new connection.
    registry.disable_connection(page.id).await.expect("disabled");
    registry.disable_connection(page.id).await.expect("again");
    let key = (Platform::Facebook, "1048576".to_owned());
    let view = registry.view();
    assert!(!view.connections[&page.id].active && !view.pages.contains_key(&key));
    let moved = registry.add_connection(two, Platform::Facebook, "Mine", Some("1048576")).await.expect("free");
    assert_eq!(registry.view().pages[&key], moved.id);
    registry.disable_connection(page.id).await.expect("the old one, once more");
    assert_eq!(registry.view().pages[&key], moved.id);
    let reopened = process(directory.path()).await.registry;
    assert_eq!(reopened.view().pages, registry.view().pages);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_two_processes_want_is_one_ones() {
    let directory = directory();
    let (one, two) = (process(directory.path()).await.registry, process(directory.path()).await.registry);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_connection_is_made_once() {
    let directory = directory();
    let (one, two) = (process(directory.path()).await.registry, process(directory.path()).await.registry);
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

#[tokio::test]
async fn processes_see_each_others_changes() {
    let directory = directory();
    let (one, two) = (process(directory.path()).await.registry, process(directory.path()).await.registry);
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

#[tokio::test]
async fn the_loop_brings_changes_and_stops() {
    let directory = directory();
    let (one, two) = (process(directory.path()).await.registry, process(directory.path()).await.registry);
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

#[tokio::test]
async fn a_destroyed_workspace_does_not_break_the_others() {
    let directory = directory();
    let first = process(directory.path()).await;
    let gone = first.registry.add_workspace("Gone", "UTC", None).await.expect("added").id;
    let stays = first.registry.add_workspace("Stays", "UTC", None).await.expect("added").id;
    let lost = first.registry.add_connection(gone, Platform::Facebook, "Page", Some("1")).await.expect("added").id;
    let kept = first.registry.add_connection(stays, Platform::Facebook, "Page", Some("2")).await.expect("added").id;
    first.keyring.destroy_workspace(gone).await.expect("destroyed");
    first.clock.advance(std::time::Duration::from_secs(2));
    let second = process(directory.path()).await.registry;
    let view = second.view();
    assert!(view.workspaces[&gone].name.is_empty() && !view.workspaces[&gone].active);
    assert!(view.connections[&lost].name.is_empty() && !view.connections[&lost].active);
    assert_eq!(view.connections[&lost].external_id, None);
    assert!(view.workspaces[&stays].active && view.connections[&kept].active);
    assert_eq!(view.pages.len(), 1);
    refused(second.add_key(gone, &[Scope::Read]).await);
    second.add_workspace("Next", "UTC", None).await.expect("the others go on");
}

#[tokio::test]
async fn nothing_of_a_person_lies_in_the_database() {
    let directory = directory();
    let registry = process(directory.path()).await.registry;
    let shop = registry.add_workspace("CANARY-workspace", "Asia/Bangkok", None).await.expect("added").id;
    let page = "555444333222111000";
    let made = registry.add_connection(shop, Platform::Facebook, "CANARY-page", Some(page)).await.expect("added");
    registry.add_connection(shop, Platform::Line, "CANARY-line", Some(LINE)).await.expect("added");
    registry.import_connection(shop, Platform::Line, "CANARY-import").await.expect("added");
    let (_, key) = registry.add_key(shop, &[Scope::Write]).await.expect("added");
    conflict(registry.add_connection(shop, Platform::Facebook, "CANARY-again", Some(page)).await);
    registry.disable_connection(made.id).await.expect("disabled");
    let mut scanned = Vec::new();
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        scanned.extend(std::fs::read(directory.path().join(name)).expect("read"));
    }
    let holds = |needle: &str| scanned.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(holds("Asia/Bangkok"), "the scan sees what is there");
    for needle in ["CANARY", page, LINE, &LINE[1..], &key, &key[8..]] {
        assert!(!holds(needle), "{needle}");
    }
}

#[tokio::test]
async fn keys_have_a_checksum() {
    let directory = directory();
    let registry = process(directory.path()).await.registry;
    let (_, key) = registry.add_key(WorkspaceId::SYSTEM, &[Scope::Read]).await.expect("added");
    assert_eq!((key.len(), &key[..8]), (44, "cm_live_"));
    assert!(Registry::key_looks_valid(&key));
    for at in 8..key.len() {
        let mut wrong = key.clone().into_bytes();
        wrong[at] = if wrong[at] == b'a' { b'b' } else { b'a' };
        assert!(!Registry::key_looks_valid(std::str::from_utf8(&wrong).expect("ascii")), "{at}");
    }
}

/// Not timed in a test: run it by hand with `--ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn measure_opening_10_000_workspaces() {
    let directory = directory();
    let registry = process(directory.path()).await.registry;
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
        let process = process(directory.path()).await;
        println!("opened {} workspaces in {:?}", process.registry.view().workspaces.len(), began.elapsed());
    }
}
