//! The registry in one process: what it refuses, keeps and finds, and what of it lies on the disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#[macro_use]
#[path = "suite/process.rs"]
mod process;

use process::{House, LINE, conflict, not_found, process, refused};
use schemas::{
    ids::{ApiKeyId, ConnectionId, WorkspaceId},
    kind::Platform,
    log::Slot,
};
use std::collections::HashMap;
use warehouse::registry::{Registry, Scope};

on_each_database!(
    the_first_open_makes_system,
    everything_is_there_after_reopening,
    what_has_not_the_right_form_is_refused,
    a_page_is_connected_once_and_a_line_account_once_per_workspace,
    a_destroyed_workspace_does_not_break_the_others,
    nothing_of_a_person_lies_in_the_database,
    keys_have_a_checksum,
);

async fn the_first_open_makes_system(house: House) {
    for _ in 0..2 {
        let registry = process(&house).await.registry;
        let view = registry.view();
        assert_eq!(view.workspaces.len(), 1);
        let system = &view.workspaces[&WorkspaceId::SYSTEM];
        assert_eq!((system.name.as_str(), system.time_zone.as_str(), system.slot), ("system", "UTC", Slot(0)));
        assert!(system.active);
        registry.ping().await.expect("it answers");
    }
}

async fn everything_is_there_after_reopening(house: House) {
    let first = process(&house).await.registry;
    let shop = first.add_workspace("ร้านกาแฟ", "Asia/Bangkok", Some(90)).await.expect("added");
    let other = first.add_workspace("Other", "Europe/Berlin", None).await.expect("added");
    let line = first.add_connection(shop.id, Platform::Line, "Official", Some(LINE)).await.expect("added");
    let page = first.add_connection(shop.id, Platform::Facebook, "Page", Some("1048576")).await.expect("added");
    let old = first.import_connection(other.id, Platform::Line, "Old inbox").await.expect("added");
    let (read, read_key) = first.add_key(shop.id, &[Scope::Read]).await.expect("added");
    let (_, both_key) = first.add_key(other.id, &[Scope::Write, Scope::Read, Scope::Write]).await.expect("added");
    assert_eq!((shop.retention_days, other.retention_days), (90, 356));
    assert_ne!(shop.slot, other.slot, "the emptier slot");

    let second = process(&house).await.registry;
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

async fn what_has_not_the_right_form_is_refused(house: House) {
    let registry = process(&house).await.registry;
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

async fn a_page_is_connected_once_and_a_line_account_once_per_workspace(house: House) {
    let registry = process(&house).await.registry;
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
    let reopened = process(&house).await.registry;
    assert_eq!(reopened.view().pages, registry.view().pages);
}

async fn a_destroyed_workspace_does_not_break_the_others(house: House) {
    let first = process(&house).await;
    let gone = first.registry.add_workspace("Gone", "UTC", None).await.expect("added").id;
    let stays = first.registry.add_workspace("Stays", "UTC", None).await.expect("added").id;
    let lost = first.registry.add_connection(gone, Platform::Facebook, "Page", Some("1")).await.expect("added").id;
    let kept = first.registry.add_connection(stays, Platform::Facebook, "Page", Some("2")).await.expect("added").id;
    first.keyring.destroy_workspace(gone).await.expect("destroyed");
    first.clock.advance(std::time::Duration::from_secs(2));
    let second = process(&house).await.registry;
    let view = second.view();
    assert!(view.workspaces[&gone].name.is_empty() && !view.workspaces[&gone].active);
    assert!(view.connections[&lost].name.is_empty() && !view.connections[&lost].active);
    assert_eq!(view.connections[&lost].external_id, None);
    assert!(view.workspaces[&stays].active && view.connections[&kept].active);
    assert_eq!(view.pages.len(), 1);
    refused(second.add_key(gone, &[Scope::Read]).await);
    second.add_workspace("Next", "UTC", None).await.expect("the others go on");
}

async fn nothing_of_a_person_lies_in_the_database(house: House) {
    let registry = process(&house).await.registry;
    let shop = registry.add_workspace("CANARY-workspace", "Asia/Bangkok", None).await.expect("added").id;
    let page = "555444333222111000";
    let made = registry.add_connection(shop, Platform::Facebook, "CANARY-page", Some(page)).await.expect("added");
    registry.add_connection(shop, Platform::Line, "CANARY-line", Some(LINE)).await.expect("added");
    registry.import_connection(shop, Platform::Line, "CANARY-import").await.expect("added");
    let (_, key) = registry.add_key(shop, &[Scope::Write]).await.expect("added");
    conflict(registry.add_connection(shop, Platform::Facebook, "CANARY-again", Some(page)).await);
    registry.disable_connection(made.id).await.expect("disabled");
    let scanned = house.catalog_bytes().await;
    let holds = |needle: &str| scanned.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(holds("Asia/Bangkok"), "the scan sees what is there");
    for needle in ["CANARY", page, LINE, &LINE[1..], &key, &key[8..]] {
        assert!(!holds(needle), "{needle}");
    }
}

async fn keys_have_a_checksum(house: House) {
    let registry = process(&house).await.registry;
    let (_, key) = registry.add_key(WorkspaceId::SYSTEM, &[Scope::Read]).await.expect("added");
    assert_eq!((key.len(), &key[..8]), (44, "cm_live_"));
    assert!(Registry::key_looks_valid(&key));
    for at in 8..key.len() {
        let mut wrong = key.clone().into_bytes();
        wrong[at] = if wrong[at] == b'a' { b'b' } else { b'a' };
        assert!(!Registry::key_looks_valid(std::str::from_utf8(&wrong).expect("ascii")), "{at}");
    }
}
