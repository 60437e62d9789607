//! Day keys: one per workspace, day and class, whoever asks first; and the key material of their files.
#![allow(clippy::expect_used, reason = "a test fails by it")]
#[macro_use]
mod common;
use base64::{Engine, engine::general_purpose::STANDARD};
use common::{A, B, Home, NOW};
use keys::{KeyError, master_key_id, master_key_of, parse_master_key_id};
use schemas::{
    clock::SystemEntropy,
    ids::WorkspaceId,
    partition::{PartitionDay, RetentionClass},
};
use std::collections::BTreeSet;

on_each_database!(a_day_key_is_made_once, everyone_who_asks_at_once_gets_the_same_key,);

const CLASS: RetentionClass = RetentionClass::STANDARD;

fn day(offset: i32) -> PartitionDay {
    PartitionDay(PartitionDay::containing(NOW).0 + offset)
}

async fn a_day_key_is_made_once(home: Home) {
    let keyring = home.keyring().await;
    keyring.create_workspace(A).await.expect("keys");
    let id = master_key_id(A, day(0), CLASS);
    assert_eq!(id, format!("w/{A}/2026-11-22/r356"));
    assert_eq!(keyring.day_key(A, day(0), CLASS).await.err(), Some(KeyError::Unknown(id.clone())));
    let made = keyring.day_key_or_create(A, day(0), CLASS).await.expect("made");
    assert_eq!(made.id(), id);
    let (dek, material) = made.new_file_key(&SystemEntropy).expect("a file key");
    for keyring in [&keyring, &home.keyring().await] {
        for key in [keyring.day_key(A, day(0), CLASS).await, keyring.day_key_or_create(A, day(0), CLASS).await] {
            let opened = key.expect("found").open_file_key(material.as_bytes()).expect("opened");
            assert_eq!(opened.expose(), dek.expose());
        }
    }
    let missing = keyring.day_key_or_create(B, day(0), CLASS).await.err();
    assert_eq!(missing, Some(KeyError::Unknown(format!("w/{B}"))));
}

async fn everyone_who_asks_at_once_gets_the_same_key(home: Home) {
    let opened = tokio::join!(home.keyring(), home.keyring(), home.keyring());
    let keyrings: [keys::Keyring; 3] = opened.into();
    let (first, second) = tokio::join!(keyrings[0].create_workspace(A), keyrings[1].create_workspace(A));
    first.and(second).expect("keys");
    let mut tasks = Vec::new();
    for round in 0..8 {
        for keyring in keyrings.clone() {
            tasks.push(tokio::spawn(async move {
                let wanted: Vec<_> = (0..20).map(|i| (A, day((i * 7 + round) % 20), CLASS)).collect();
                let keys = keyring.day_keys_or_create(&wanted).await.expect("keys");
                assert!(wanted.iter().zip(&keys).all(|(w, k)| k.id() == master_key_id(w.0, w.1, w.2)), "their order");
                keys.iter().map(|key| key.new_file_key(&SystemEntropy).expect("a file key").1).collect::<Vec<_>>()
            }));
        }
    }
    let fresh = home.keyring().await;
    let (mut files, mut exported) = (0, BTreeSet::new());
    for task in tasks {
        for material in task.await.expect("a task") {
            let (ws, day, class) = master_key_of(material.as_bytes()).expect("material");
            let key = fresh.day_key(ws, day, class).await.expect("the one key");
            key.open_file_key(material.as_bytes()).expect("it opens what any of them sealed");
            files += 1;
        }
    }
    for (id, key) in fresh.export_day_keys(A, None).await.expect("keys") {
        assert!(exported.insert((id, key.to_string())));
    }
    assert_eq!((files, exported.len()), (8 * 3 * 20, 20));
}

#[tokio::test]
async fn the_exported_key_opens_the_material_as_a_reader_without_us_would() {
    use aes_gcm::{
        Aes256Gcm, KeyInit,
        aead::{Aead, Payload},
    };
    let home = Home::new();
    let keyring = home.keyring().await;
    for ws in [A, B] {
        keyring.create_workspace(ws).await.expect("keys");
        for offset in 0..3 {
            keyring.day_key_or_create(ws, day(offset), CLASS).await.expect("made");
        }
    }
    let key = keyring.day_key(A, day(1), CLASS).await.expect("the key");
    let (dek, text) = key.new_file_key(&SystemEntropy).expect("a file key");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let wrapped = json["wrappedDEK"].as_str().expect("text");
    let expected = serde_json::json!({
        "keyMaterialType": "PKMT1", "internalStorage": true, "isFooterKey": true, "kmsInstanceID": "DEFAULT",
        "kmsInstanceURL": "DEFAULT", "masterKeyID": key.id(), "wrappedDEK": wrapped, "doubleWrapping": false,
    });
    assert_eq!(json, expected);

    assert_eq!(keyring.export_day_keys(A, None).await.expect("keys").len(), 3);
    let exported = keyring.export_day_keys(A, Some(day(1))).await.expect("keys");
    assert_eq!(exported.len(), 1);
    assert_eq!(exported[0].0, key.id());
    let plain_key = STANDARD.decode(exported[0].1.as_str()).expect("base64");
    let cipher = Aes256Gcm::new_from_slice(&plain_key).expect("32 bytes");
    let wrapped = STANDARD.decode(wrapped).expect("base64");
    assert_eq!(wrapped.len(), 60);
    let nonce: [u8; 12] = wrapped[..12].try_into().expect("12 bytes");
    let payload = Payload { msg: &wrapped[12..], aad: key.id().as_bytes() };
    assert_eq!(cipher.decrypt(&nonce.into(), payload).expect("it opens"), dek.expose());
}

#[tokio::test]
async fn foreign_or_changed_key_material_is_refused() {
    let home = Home::new();
    let keyring = home.keyring().await;
    keyring.create_workspace(A).await.expect("keys");
    let key = keyring.day_key_or_create(A, day(0), CLASS).await.expect("made");
    let next = keyring.day_key_or_create(A, day(1), CLASS).await.expect("made");
    let (dek, good) = key.new_file_key(&SystemEntropy).expect("a file key");
    let evil = good.replace("\"kmsInstanceURL\":\"DEFAULT\"", "\"kmsInstanceURL\":\"http://evil.example\",\"more\":1");
    assert_ne!(evil, good);
    assert_eq!(key.open_file_key(evil.as_bytes()).expect("ignored").expose(), dek.expose());

    let renamed = good.replace(key.id(), next.id());
    let wrapped = serde_json::from_str::<serde_json::Value>(&good).expect("JSON")["wrappedDEK"].to_string();
    let double = good.replace("\"doubleWrapping\":false", "\"doubleWrapping\":true");
    let external = good.replace("\"internalStorage\":true", "\"internalStorage\":false");
    for (what, material) in [
        ("another day's file", next.new_file_key(&SystemEntropy).expect("a file key").1),
        ("renamed", renamed.clone()),
        ("double wrapping", double),
        ("external", external),
        ("no key", good.replace(&wrapped, "\"\"")),
        ("not JSON", "PKMT1".into()),
        ("long", format!("{good}{}", " ".repeat(5000))),
    ] {
        let error = key.open_file_key(material.as_bytes()).err();
        assert!(matches!(error, Some(KeyError::Integrity(_))), "{what}: {error:?}");
    }
    assert!(matches!(next.open_file_key(renamed.as_bytes()).err(), Some(KeyError::Integrity(_))));
    for i in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[i] ^= 1;
        if let Ok(opened) = key.open_file_key(&changed) {
            assert_eq!(opened.expose(), dek.expose(), "byte {i} gave another key");
        }
    }
}

#[test]
fn ids_of_day_keys_read_back_and_nothing_else_does() {
    for id in [(A, day(0), CLASS), (WorkspaceId::SYSTEM, PartitionDay(0), RetentionClass(30))] {
        assert_eq!(parse_master_key_id(&master_key_id(id.0, id.1, id.2)), Some(id));
    }
    let good = master_key_id(A, day(0), CLASS);
    for bad in ["", "w/", &good[1..], &format!("{good}/"), &format!("{good}0x"), &good.replace("-22", "-32")] {
        assert_eq!(parse_master_key_id(bad), None, "{bad}");
    }
}
