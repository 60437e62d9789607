//! Pseudonymous ids: the same everywhere for the same key, and different for everything else.
#![allow(clippy::expect_used, reason = "a test fails by it")]
#[macro_use]
mod common;
use common::{A, B, CONNECTION, Home};
use schemas::ids::ConnectionId;
use std::collections::HashSet;

on_each_database!(ids_meet_across_processes_and_differ_by_kind_connection_key_and_workspace,);

async fn ids_meet_across_processes_and_differ_by_kind_connection_key_and_workspace(home: Home) {
    let keyring = home.keyring().await;
    let mut ids = HashSet::new();
    for ws in [A, B] {
        keyring.create_workspace(ws).await.expect("keys");
        let here = keyring.pseudonyms(ws).await.expect("pseudonyms");
        let there = home.keyring().await.pseudonyms(ws).await.expect("pseudonyms");
        keyring.rotate_workspace(ws).await.expect("rotated");
        for connection in [CONNECTION, ConnectionId::NONE] {
            for key in [&b""[..], b"1", b"12"] {
                let all = |p: &keys::Pseudonyms| {
                    [
                        p.event(connection, key).0,
                        p.message(connection, key).0,
                        p.contact(connection, key).0,
                        p.conversation(connection, key).0,
                    ]
                };
                assert_eq!(all(&here), all(&there));
                assert!(all(&here).into_iter().all(|id| ids.insert(id)), "two inputs gave one id");
            }
        }
        assert_eq!(here.keyed_hash("audit", b"x"), there.keyed_hash("audit", b"x"));
        assert_ne!(here.keyed_hash("audit", b"x"), here.keyed_hash("audi", b"tx"));
    }
    assert_eq!(ids.len(), 2 * 2 * 3 * 4);
}
