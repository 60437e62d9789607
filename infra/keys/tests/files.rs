//! What lies on disk: modes, root key files, and no trace of what was sealed.
#![allow(clippy::expect_used, reason = "a test fails by it")]
#[macro_use]
mod common;
use common::{A, CONNECTION, EVENT, Home, entropy};
use keys::{FileKms, KeyError, Kms, RootKey, Secret32};
use schemas::clock::SystemEntropy;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

on_each_database!(names_and_tokens_are_found_nowhere, a_field_opens_for_its_workspace_and_purpose_only,);

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[tokio::test]
async fn every_file_is_for_its_owner_only() {
    let home = Home::new();
    let (keyring, vault) = (home.keyring().await, home.vault().await);
    keyring.create_workspace(A).await.expect("keys");
    vault.put(CONNECTION, A, "line", "access", b"x").await.expect("stored");
    let mut seen = 0;
    for dir in [home.dir.path().to_path_buf(), home.path("kms")] {
        for path in fs::read_dir(dir).expect("a directory").map(|e| e.expect("an entry").path()) {
            if path.is_file() {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 9, "two databases of three files, two root keys, a lock: {seen}");
    assert_eq!(mode(&home.path("kms")), 0o700);
}

#[tokio::test]
async fn root_keys_are_made_once_kept_and_rotated() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let kms = FileKms::open(dir.path(), entropy()).expect("a KMS");
    let key = Secret32::random(&SystemEntropy).expect("a key");
    let data = kms.wrap(RootKey::Data, &key, b"id").await.expect("wrapped");
    let token = kms.wrap(RootKey::Token, &key, b"id").await.expect("wrapped");
    assert_ne!(data.root_key_id, token.root_key_id);
    let new = kms.rotate(RootKey::Data).await.expect("rotated");
    let other = FileKms::open(dir.path(), entropy()).expect("a KMS");
    let after = other.wrap(RootKey::Data, &key, b"id").await.expect("wrapped");
    assert_eq!(after.root_key_id, new);
    let newest = other.rotate(RootKey::Token).await.expect("rotated");
    assert_eq!(kms.wrap(RootKey::Token, &key, b"").await.expect("wrapped").root_key_id, newest, "seen by the other");
    for kms in [&kms, &other] {
        for wrapped in [&data, &token, &after] {
            let opened = kms.unwrap(&wrapped.root_key_id, &wrapped.text, b"id").await.expect("opened");
            assert_eq!(opened.expose(), key.expose());
            for (root, aad) in [(wrapped.root_key_id.as_str(), &b"other"[..]), (newest.as_str(), b"id")] {
                let error = kms.unwrap(root, &wrapped.text, aad).await.err();
                assert!(matches!(error, Some(KeyError::Integrity(_))), "{error:?}");
            }
        }
        assert!(matches!(kms.unwrap("r/99", &data.text, b"id").await, Err(KeyError::Unknown(_))));
    }
    assert_eq!(kms.provider(), "file");
}

#[tokio::test]
async fn who_has_nothing_to_do_with_tokens_neither_makes_nor_reads_their_root_key() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let key = Secret32::random(&SystemEntropy).expect("a key");
    let alone = FileKms::open_without_tokens(dir.path(), entropy()).expect("a KMS");
    assert!(!dir.path().join("root-token.r1").exists() && !dir.path().join("root-token.r2").exists());
    assert!(matches!(alone.wrap(RootKey::Token, &key, b"").await, Err(KeyError::Unknown(_))));
    assert!(matches!(alone.rotate(RootKey::Token).await, Err(KeyError::Unknown(_))));
    let all = FileKms::open(dir.path(), entropy()).expect("a KMS");
    let token = all.wrap(RootKey::Token, &key, b"").await.expect("wrapped");
    let error = alone.unwrap(&token.root_key_id, &token.text, b"").await.err();
    assert!(matches!(error, Some(KeyError::Unknown(_))), "{error:?}");
    // Its own go on, under numbers that no token root has.
    let newer = alone.rotate(RootKey::Data).await.expect("rotated");
    let data = alone.wrap(RootKey::Data, &key, b"").await.expect("wrapped");
    assert_eq!(data.root_key_id, newer);
    assert_ne!(newer, token.root_key_id);
    assert_eq!(all.unwrap(&newer, &data.text, b"").await.expect("opened").expose(), key.expose());
    assert_eq!(all.unwrap(&token.root_key_id, &token.text, b"").await.expect("opened").expose(), key.expose());
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let dir = tempfile::TempDir::new().expect("a directory");
    drop(FileKms::open(dir.path(), entropy()).expect("a KMS"));
    let file = dir.path().join("root-data.r1");
    for bad in [0o644, 0o640, 0o604, 0o660] {
        fs::set_permissions(&file, fs::Permissions::from_mode(bad)).expect("a mode");
        let message = FileKms::open(dir.path(), entropy()).err().expect("refused").to_string();
        assert!(message.contains("root-data.r1") && message.contains("chmod 600"), "{message}");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
    drop(FileKms::open(dir.path(), entropy()).expect("a KMS"));
    fs::write(&file, "not a key").expect("written");
    assert!(matches!(FileKms::open(dir.path(), entropy()).err(), Some(KeyError::Integrity(_))));
}

async fn names_and_tokens_are_found_nowhere(home: Home) {
    let canary = b"Nguyen-Van-Canary-0912345678";
    let (keyring, vault) = (home.keyring().await, home.vault().await);
    keyring.create_workspace(A).await.expect("keys");
    let purpose = format!("connection.name|{CONNECTION}");
    let sealed = keyring.seal_field(A, &purpose, canary).await.expect("sealed");
    assert_eq!(sealed.len(), 33 + canary.len());
    assert_eq!(keyring.open_field(A, &purpose, &sealed).await.expect("opened"), canary);
    let record = keyring.seal(A, EVENT, 1, canary).await.expect("sealed");
    assert!(!common::contains(&sealed, canary) && !common::contains(&record.value, canary));
    keyring.pseudonyms(A).await.expect("pseudonyms").contact(CONNECTION, canary);
    vault.put(CONNECTION, A, "line", "access", canary).await.expect("stored");
    vault.rotate(CONNECTION, "access", canary, true).await.expect("rotated");
    assert_eq!(vault.use_active(CONNECTION, "access", |s| s == [canary, canary]).await, Ok(true));
    for part in [&canary[..], &canary[..10], b"0912345678"] {
        assert!(!common::contains(&home.bytes().await, part));
    }
    vault.destroy(CONNECTION).await.expect("destroyed");
    for part in [&canary[..], &canary[..10], b"0912345678"] {
        assert!(!common::contains(&home.bytes().await, part));
    }
    assert!(common::contains(&home.bytes().await, b"line"), "the search finds what is there");
}

async fn a_field_opens_for_its_workspace_and_purpose_only(home: Home) {
    let keyring = home.keyring().await;
    keyring.create_workspace(A).await.expect("keys");
    keyring.create_workspace(common::B).await.expect("keys");
    let sealed = keyring.seal_field(A, "workspace.name", b"shop").await.expect("sealed");
    let mut refused = vec![(common::B, "workspace.name", sealed.clone()), (A, "connection.name", sealed.clone())];
    for i in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[i] ^= 1;
        refused.push((A, "workspace.name", changed));
        refused.push((A, "workspace.name", sealed[..i].to_vec()));
    }
    for (ws, purpose, sealed) in refused {
        let error = keyring.open_field(ws, purpose, &sealed).await.err();
        assert!(matches!(error, Some(KeyError::Integrity(_))), "{error:?}");
    }
}
