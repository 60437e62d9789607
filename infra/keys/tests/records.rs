//! Log records: they open as they were sealed, and in no other way.
#![allow(clippy::expect_used, reason = "a test fails by it")]
#[macro_use]
mod common;
use common::{A, B, EVENT, Home};
use keys::{KeyError, KeyErrorClass, RecordSealer};
use schemas::{
    ids::{DekId, EventId, WorkspaceId},
    record::SealedRecord,
};
use std::{sync::Arc, time::Duration};

on_each_database!(
    records_open_in_this_and_in_another_process,
    a_data_key_lives_an_hour_and_a_sealer_asks_for_the_store_every_second,
);

async fn assert_refused(home: &Home, warm: &keys::Keyring, record: &SealedRecord, what: &str) {
    // In a process that knows the data key, and in one that does not.
    for keyring in [warm, &home.keyring().await] {
        let error = keyring.open_record(record).await.expect_err(what);
        assert!(matches!(error, KeyError::Integrity(_)), "{what}: {error:?}");
        assert_eq!(error.class(), KeyErrorClass::Integrity);
        // Also right behind a record that opened, with its data key at hand.
        let mut opener = keyring.opener();
        let good = keyring.seal(A, EVENT, 1, b"good").await.expect("sealed");
        assert_eq!(opener.open(&good).await.expect("opened"), b"good");
        assert!(matches!(opener.open(record).await, Err(KeyError::Integrity(_))), "{what}");
        assert_eq!(opener.open(&good).await.expect("opened after a refusal"), b"good");
    }
}

async fn records_open_in_this_and_in_another_process(home: Home) {
    let keyring = home.keyring().await;
    keyring.create_workspace(A).await.expect("keys");
    keyring.create_workspace(WorkspaceId::SYSTEM).await.expect("keys");
    keyring.create_workspace(A).await.expect("twice changes nothing");
    for (ws, text) in [(A, &b"xin chao"[..]), (A, b""), (WorkspaceId::SYSTEM, &[7; 70_000])] {
        let record = keyring.seal(ws, EVENT, 1, text).await.expect("sealed");
        assert_eq!((record.workspace, record.event, record.schema), (ws, EVENT, 1));
        assert_eq!(record.value.len(), 12 + 8 + text.len() + 16);
        assert_eq!(keyring.open_record(&record).await.expect("opened"), text);
        assert_eq!(keyring.open_record(&record).await.expect("from the cache"), text);
        assert_eq!(home.keyring().await.open_record(&record).await.expect("elsewhere"), text);
    }
    assert_eq!(keyring.seal(B, EVENT, 1, b"").await, Err(KeyError::Unknown(format!("w/{B}"))));
}

#[tokio::test]
async fn any_changed_header_or_byte_is_refused() {
    let home = Home::new();
    let keyring = home.keyring().await;
    keyring.create_workspace(A).await.expect("keys");
    keyring.create_workspace(B).await.expect("keys");
    let good = keyring.seal(A, EVENT, 1, b"four").await.expect("sealed");
    let other = keyring.seal(A, EventId([1; 16]), 1, b"five").await.expect("sealed");
    let foreign = keyring.seal(B, EVENT, 1, b"four").await.expect("sealed");
    keyring.open_record(&good).await.expect("opened");

    let changes: [(&str, SealedRecord); 12] = [
        ("workspace", SealedRecord { workspace: B, ..good.clone() }),
        ("workspace and key id", SealedRecord { workspace: B, master_key: foreign.master_key.clone(), ..good.clone() }),
        ("event", SealedRecord { event: EventId([0xf; 16]), ..good.clone() }),
        ("schema", SealedRecord { schema: 2, ..good.clone() }),
        ("key version", SealedRecord { master_key: format!("w/{A}/v2").into(), ..good.clone() }),
        ("key id", SealedRecord { master_key: format!("w/{A}/v01").into(), ..good.clone() }),
        ("data key id", SealedRecord { dek: DekId([9; 16]), ..good.clone() }),
        ("value of another record", SealedRecord { value: other.value.clone(), ..good.clone() }),
        ("value of another workspace", SealedRecord { value: foreign.value.clone(), ..good.clone() }),
        (
            "data key of another workspace",
            SealedRecord {
                dek: foreign.dek,
                wrapped_dek: foreign.wrapped_dek,
                commitment: foreign.commitment,
                value: foreign.value.clone(),
                ..good.clone()
            },
        ),
        ("no value", SealedRecord { value: Vec::new().into(), ..good.clone() }),
        ("short value", SealedRecord { value: good.value.slice(..27), ..good.clone() }),
    ];
    for (what, record) in &changes {
        assert_refused(&home, &keyring, record, what).await;
    }
    for i in 0..60 {
        let mut record = good.clone();
        record.wrapped_dek[i] ^= 1;
        assert_refused(&home, &keyring, &record, "wrapped data key").await;
    }
    for i in 0..16 {
        let mut record = good.clone();
        record.commitment[i] ^= 0x80;
        assert_refused(&home, &keyring, &record, "commitment").await;
    }
    for i in 0..good.value.len() {
        let mut value = good.value.to_vec();
        value[i] ^= 1;
        assert_refused(&home, &keyring, &SealedRecord { value: value.into(), ..good.clone() }, "value").await;
    }
    assert_eq!(keyring.open_record(&good).await.expect("still opens"), b"four");
}

#[tokio::test]
async fn a_record_opens_as_of_its_topic_only_and_shows_its_number() {
    let home = Home::new();
    let keyring = home.keyring().await;
    keyring.create_workspace(A).await.expect("keys");
    for number in 0..3 {
        let record = keyring.seal_in("outbound", A, EVENT, 1, b"reply").await.expect("sealed");
        assert_eq!(keyring.open_record_in("outbound", &record).await, Ok((number, b"reply".to_vec())));
        assert_refused(&home, &keyring, &record, "topic").await;
    }
}

async fn renewed(keyring: &keys::Keyring, old: &RecordSealer) -> Arc<RecordSealer> {
    assert!(matches!(old.seal(EVENT, 1, b""), Err(KeyError::Limit(_))));
    keyring.sealer(A).await.expect("a sealer")
}

async fn a_data_key_lives_an_hour_and_a_sealer_asks_for_the_store_every_second(home: Home) {
    let keyring = home.keyring().await;
    keyring.create_workspace(A).await.expect("keys");
    let first = keyring.sealer(A).await.expect("a sealer");
    let dek = first.seal(EVENT, 1, b"").expect("sealed").dek;
    home.clock.advance(Duration::from_millis(1001));
    let same = renewed(&keyring, &first).await;
    assert_eq!(same.seal(EVENT, 1, b"").expect("sealed").dek, dek);
    home.clock.advance(Duration::from_secs(3599));
    let next = renewed(&keyring, &first).await;
    let next = next.seal(EVENT, 1, b"x").expect("sealed");
    assert_ne!(next.dek, dek);
    assert_eq!(keyring.open_record(&next).await.expect("opened"), b"x");
}

#[tokio::test]
async fn many_threads_share_one_sealer() {
    let home = Home::new();
    let keyring = home.keyring().await;
    keyring.create_workspace(A).await.expect("keys");
    let sealer = keyring.sealer(A).await.expect("a sealer");
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let sealer = sealer.clone();
            std::thread::spawn(move || {
                (0..500).map(|_| sealer.seal(EVENT, 1, b"x").expect("sealed")).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for thread in threads {
        for record in thread.join().expect("a thread") {
            numbers.push(keyring.open_record_in("events", &record).await.expect("opened").0);
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..2000).collect::<Vec<_>>());
}
