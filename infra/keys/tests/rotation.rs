//! Rotation: old data opens, new data is sealed under the new key, and a kill inside changes nothing of that.
#![allow(clippy::expect_used, reason = "a test fails by it")]
#[macro_use]
mod common;
use async_trait::async_trait;
use common::{A, B, CONNECTION, EVENT, Home};
use keys::{KeyError, Keyring, Kms, RootKey, Secret32, Wrapped};
use schemas::{clock::SystemEntropy, partition::RetentionClass};
use sqlx::Row;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

on_each_database!(
    a_rotated_workspace_key_seals_what_is_new_and_opens_what_is_old,
    root_rotation_survives_a_kill_after_any_number_of_wraps,
    root_rotation_changes_the_key_table_only_and_each_root_its_own,
);

const CLASS: RetentionClass = RetentionClass::STANDARD;

async fn a_rotated_workspace_key_seals_what_is_new_and_opens_what_is_old(home: Home) {
    let (keyring, other) = (home.keyring().await, home.keyring().await);
    keyring.create_workspace(A).await.expect("keys");
    let day = "2026-11-22".parse().expect("a day");
    let (mut records, mut fields) = (Vec::new(), Vec::new());
    let old_day = keyring.day_key_or_create(A, day, CLASS).await.expect("a day key");
    let (_, material) = old_day.new_file_key(&SystemEntropy).expect("a file key");
    for version in 1..=3 {
        let sealer = keyring.sealer(A).await.expect("a sealer");
        let record = sealer.seal(EVENT, 1, &[version]).expect("sealed");
        assert_eq!(*record.master_key, *format!("w/{A}/v{version}"));
        other.seal(A, EVENT, 1, b"").await.expect("sealed");
        records.push(record);
        fields.push(keyring.seal_field(A, "workspace.name", &[version]).await.expect("sealed"));
        assert_eq!(fields.last().expect("one")[4], version);
        assert_eq!(keyring.rotate_workspace(A).await, Ok(u32::from(version) + 1));
        assert!(matches!(sealer.seal(EVENT, 1, b""), Err(KeyError::Limit(_))), "a sealer of the old key goes on");
        // Another process takes the new key within a second.
        home.clock.advance(Duration::from_millis(1001));
        let record = other.seal(A, EVENT, 1, b"").await.expect("sealed");
        assert_eq!(*record.master_key, *format!("w/{A}/v{}", version + 1));
    }
    for keyring in [&keyring, &other, &home.keyring().await] {
        for (i, record) in records.iter().enumerate() {
            assert_eq!(keyring.open_record(record).await.expect("opened"), [i as u8 + 1]);
            assert_eq!(keyring.open_field(A, "workspace.name", &fields[i]).await.expect("opened"), [i as u8 + 1]);
        }
        let day = keyring.day_key(A, day, CLASS).await.expect("the old day key");
        day.open_file_key(material.as_bytes()).expect("the old file");
    }
}

/// A KMS that dies after so many wraps.
struct Dying {
    kms: Arc<dyn Kms>,
    wraps_left: AtomicUsize,
}

#[async_trait]
impl Kms for Dying {
    fn provider(&self) -> &'static str {
        "dying"
    }
    async fn wrap(&self, root: RootKey, key: &Secret32, aad: &[u8]) -> Result<Wrapped, KeyError> {
        let left = self.wraps_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        left.map_err(|_| KeyError::Unavailable("the KMS died".into()))?;
        self.kms.wrap(root, key, aad).await
    }
    async fn unwrap(&self, root_key_id: &str, text: &str, aad: &[u8]) -> Result<Secret32, KeyError> {
        self.kms.unwrap(root_key_id, text, aad).await
    }
    async fn rotate(&self, root: RootKey) -> Result<String, KeyError> {
        self.kms.rotate(root).await
    }
}

async fn roots(home: &Home) -> BTreeSet<String> {
    let rows = home.sql("keys", "SELECT DISTINCT root_key FROM master_keys").await;
    rows.iter().map(|row| row.get(0)).collect()
}

async fn assert_opens(keyring: &Keyring, sealed: &[(schemas::ids::WorkspaceId, Vec<u8>)]) {
    for (ws, field) in sealed {
        assert_eq!(keyring.open_field(*ws, "workspace.name", field).await.expect("opened"), ws.0);
        keyring.pseudonyms(*ws).await.expect("pseudonyms");
    }
}

async fn root_rotation_survives_a_kill_after_any_number_of_wraps(home: Home) {
    let keyring = home.keyring().await;
    let mut sealed = Vec::new();
    for ws in [A, B] {
        keyring.create_workspace(ws).await.expect("keys");
        sealed.push((ws, keyring.seal_field(ws, "workspace.name", &ws.0).await.expect("sealed")));
        keyring.rotate_workspace(ws).await.expect("rotated");
        sealed.push((ws, keyring.seal_field(ws, "workspace.name", &ws.0).await.expect("sealed")));
    }
    // Two workspaces with two WMK versions and one HMK each.
    for wraps_left in 0..6 {
        let dying = Arc::new(Dying { kms: home.kms.clone(), wraps_left: wraps_left.into() });
        let error = home.keyring_with(dying).await.rotate_root().await.expect_err("the KMS dies");
        assert!(matches!(error, KeyError::Unavailable(_)), "{error:?}");
        assert_opens(&home.keyring().await, &sealed).await;
        assert_opens(&keyring, &sealed).await;
    }
    let root = keyring.rotate_root().await.expect("rotated");
    assert_eq!(roots(&home).await, BTreeSet::from([root]));
    assert_opens(&home.keyring().await, &sealed).await;
}

async fn root_rotation_changes_the_key_table_only_and_each_root_its_own(home: Home) {
    let (keyring, vault) = (home.keyring().await, home.vault().await);
    keyring.create_workspace(A).await.expect("keys");
    vault.put(CONNECTION, A, "line", "access", b"token").await.expect("stored");
    let before = home.bodies("keys").await;
    let old = roots(&home).await;
    let new = keyring.rotate_root().await.expect("rotated");
    assert!(!old.contains(&new));
    let after = home.bodies("keys").await;
    assert_eq!(after.len(), before.len(), "wrapped in place");
    let bytes = home.bytes().await;
    for wrapped in before {
        assert!(!common::contains(&bytes, &wrapped), "the old wrapping is still there");
    }
    vault.rotate_root().await.expect("rotated");
    assert_eq!(roots(&home).await, BTreeSet::from([new]));
    let open = home.vault().await.use_active(CONNECTION, "access", |secrets| secrets[0] == b"token").await;
    assert_eq!(open, Ok(true));
}
