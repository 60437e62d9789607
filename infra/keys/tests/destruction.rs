//! What is destroyed opens nowhere, is not made anew, and leaves no byte behind.
#![allow(clippy::expect_used, reason = "a test fails by it")]
#[macro_use]
mod common;
use common::{A, B, EVENT, Home, NOW, contains};
use keys::{KeyError, KeyErrorClass, master_key_id};
use schemas::{
    clock::SystemEntropy,
    ids::WorkspaceId,
    partition::{PartitionDay, RetentionClass},
};
use std::time::Duration;

on_each_database!(
    a_destroyed_day_key_is_gone_for_good,
    no_copy_of_a_destroyed_key_hides_among_many_others,
    a_destroyed_workspace_is_dark,
    without_the_store_nothing_in_memory_is_used_for_longer_than_a_second,
);

const CLASS: RetentionClass = RetentionClass::STANDARD;

fn day(offset: i32) -> PartitionDay {
    PartitionDay(PartitionDay::containing(NOW).0 + offset)
}

async fn a_destroyed_day_key_is_gone_for_good(home: Home) {
    let (keyring, other) = (home.keyring().await, home.keyring().await);
    keyring.create_workspace(A).await.expect("keys");
    keyring.create_workspace(B).await.expect("keys");
    let ids = [(A, day(0), CLASS), (A, day(0), RetentionClass(90)), (A, day(1), CLASS), (B, day(0), CLASS)];
    for id in ids {
        keyring.day_key_or_create(id.0, id.1, id.2).await.expect("made");
    }
    let keys = keyring.day_keys_or_create(&ids).await.expect("found");
    let (_, material) = keys[0].new_file_key(&SystemEntropy).expect("a file key");
    let held_elsewhere = other.day_key(A, day(0), CLASS).await.expect("found");
    let wrapped = home.bodies("keys").await;
    let wrapped = wrapped.iter().skip(4).collect::<Vec<_>>();
    assert_eq!(wrapped.len(), 4);
    let bytes = home.bytes().await;
    assert!(wrapped.iter().all(|text| contains(&bytes, text)));

    keyring.destroy_day_keys(&ids[..1]).await.expect("destroyed");
    keyring.destroy_day_keys(&ids[..1]).await.expect("twice changes nothing");
    let gone = Some(KeyError::Destroyed(master_key_id(A, day(0), CLASS)));
    assert_eq!(keyring.day_key(A, day(0), CLASS).await.err(), gone);
    assert_eq!(keyring.day_key_or_create(A, day(0), CLASS).await.err(), gone);
    assert_eq!(keyring.day_keys_or_create(&ids).await.err(), gone);
    assert_eq!(keys[0].open_file_key(material.as_bytes()).err(), gone, "a held key still opens");
    assert_eq!(keys[0].new_file_key(&SystemEntropy).err(), gone);
    let bytes = home.bytes().await;
    let left: Vec<_> = wrapped.iter().map(|text| contains(&bytes, text)).collect();
    assert_eq!(left, [false, true, true, true]);
    for id in &ids[1..] {
        keyring.day_key(id.0, id.1, id.2).await.expect("the others stay");
    }

    // Another process that has it in memory refuses within a second, one that starts now at once.
    home.clock.advance(Duration::from_millis(1001));
    assert_eq!(other.day_key(A, day(0), CLASS).await.err(), gone);
    assert_eq!(held_elsewhere.open_file_key(material.as_bytes()).err(), gone);
    assert_eq!(home.keyring().await.day_key_or_create(A, day(0), CLASS).await.err(), gone);
    assert_eq!(gone.map(|error| error.class()), Some(KeyErrorClass::Destroyed));

    // A day that never had a key does not get one after its destruction.
    keyring.destroy_day_keys(&[(A, day(9), CLASS)]).await.expect("destroyed");
    assert!(matches!(keyring.day_key_or_create(A, day(9), CLASS).await, Err(KeyError::Destroyed(_))));
    assert_eq!(keyring.export_day_keys(A, None).await.expect("keys").len(), 2);
}

async fn no_copy_of_a_destroyed_key_hides_among_many_others(home: Home) {
    let keyring = home.keyring().await;
    let workspaces: Vec<_> = (0..40).map(|i| WorkspaceId([(i as u8).wrapping_mul(37); 16])).collect();
    for ws in &workspaces {
        keyring.create_workspace(*ws).await.expect("keys");
    }
    let mut destroyed = Vec::new();
    // With a server each key is several round trips: fewer of them show the same.
    let rounds = if home.is_postgres() { 3 } else { 12 };
    for round in 0..rounds {
        // Keys come in an order that has nothing to do with theirs, while others go.
        let ids: Vec<_> =
            (0..160).map(|i| (workspaces[(i * 23) % 40], day((i as i32 * 31) % 7 + round * 7), CLASS)).collect();
        keyring.day_keys_or_create(&ids).await.expect("made");
        let before = home.bodies("keys").await;
        let going: Vec<_> = ids.iter().filter(|id| (id.1.0 + round) % 3 != 0).copied().collect();
        keyring.destroy_day_keys(&going).await.expect("destroyed");
        let after = home.bodies("keys").await;
        destroyed.extend(before.into_iter().filter(|text| !after.contains(text)));
        keyring.rotate_root().await.expect("rotated");
    }
    assert!(destroyed.len() > 60 * rounds as usize, "{}", destroyed.len());
    let bytes = home.bytes().await;
    let mut windows: std::collections::HashSet<&[u8]> = std::collections::HashSet::new();
    windows.extend(bytes.windows(24));
    let left = destroyed.iter().filter(|text| windows.contains(&text[..24]) || windows.contains(&text[50..74])).count();
    assert_eq!(left, 0, "copies of destroyed keys are left in the file");
}

async fn a_destroyed_workspace_is_dark(home: Home) {
    let (keyring, other) = (home.keyring().await, home.keyring().await);
    keyring.create_workspace(B).await.expect("keys");
    let untouched = home.bodies("keys").await;
    keyring.create_workspace(A).await.expect("keys");
    keyring.rotate_workspace(A).await.expect("rotated");
    let held = keyring.day_key_or_create(A, day(0), CLASS).await.expect("made");
    let sealer = keyring.sealer(A).await.expect("a sealer");
    let sealer_elsewhere = other.sealer(A).await.expect("a sealer");
    let record = sealer.seal(EVENT, 1, b"x").expect("sealed");
    let field = keyring.seal_field(A, "workspace.name", b"x").await.expect("sealed");
    other.open_record(&record).await.expect("opened");
    other.pseudonyms(A).await.expect("pseudonyms");
    let all = home.bodies("keys").await;
    assert_eq!(all.len(), untouched.len() + 4, "two WMK, one HMK, one day key");

    keyring.destroy_workspace(A).await.expect("destroyed");
    keyring.destroy_workspace(A).await.expect("twice changes nothing");
    assert!(matches!(sealer.seal(EVENT, 1, b""), Err(KeyError::Destroyed(_))));
    assert!(matches!(held.new_file_key(&SystemEntropy), Err(KeyError::Destroyed(_))));
    home.clock.advance(Duration::from_millis(1001));
    assert!(sealer_elsewhere.seal(EVENT, 1, b"").is_err(), "another process still seals after a second");
    for keyring in [&keyring, &other, &home.keyring().await] {
        let gone = || Some(KeyError::Destroyed(format!("w/{A}")));
        assert_eq!(keyring.open_record(&record).await.err(), gone());
        assert_eq!(keyring.opener().open(&record).await.err(), gone());
        assert_eq!(keyring.open_field(A, "workspace.name", &field).await.err(), gone());
        assert_eq!(keyring.seal(A, EVENT, 1, b"").await.err(), gone());
        assert_eq!(keyring.seal_field(A, "workspace.name", b"").await.err(), gone());
        assert_eq!(keyring.pseudonyms(A).await.err(), gone());
        assert_eq!(keyring.day_key(A, day(0), CLASS).await.err(), gone());
        assert_eq!(keyring.day_key_or_create(A, day(3), CLASS).await.err(), gone());
        assert_eq!(keyring.create_workspace(A).await.err(), gone());
        assert_eq!(keyring.rotate_workspace(A).await.err(), gone());
        assert_eq!(keyring.export_day_keys(A, None).await.err(), gone());
        keyring.seal(B, EVENT, 1, b"").await.expect("the other workspace lives");
    }
    assert!(matches!(sealer_elsewhere.seal(EVENT, 1, b""), Err(KeyError::Destroyed(_))));
    let bytes = home.bytes().await;
    for text in &all {
        assert_eq!(contains(&bytes, text), untouched.contains(text));
    }
    // A ledger replayed onto a restored key store names workspaces that it may not hold.
    let never = WorkspaceId([0xd; 16]);
    keyring.destroy_workspace(never).await.expect("destroyed");
    assert!(matches!(keyring.create_workspace(never).await, Err(KeyError::Destroyed(_))));
}

async fn without_the_store_nothing_in_memory_is_used_for_longer_than_a_second(home: Home) {
    let keyring = home.keyring().await;
    keyring.create_workspace(A).await.expect("keys");
    let record = keyring.seal(A, EVENT, 1, b"x").await.expect("sealed");
    home.sql("keys", "ALTER TABLE meta RENAME TO away").await;
    home.clock.advance(Duration::from_millis(800));
    keyring.open_record(&record).await.expect("opened");
    home.clock.advance(Duration::from_millis(201));
    assert!(matches!(keyring.open_record(&record).await, Err(KeyError::Unavailable(_))));
    assert!(matches!(keyring.seal(A, EVENT, 1, b"").await, Err(KeyError::Unavailable(_))));
    assert!(matches!(keyring.ping().await, Err(KeyError::Unavailable(_))));
    home.sql("keys", "ALTER TABLE away RENAME TO meta").await;
    keyring.ping().await.expect("it answers");
    keyring.open_record(&record).await.expect("opened");
}
