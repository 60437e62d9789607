//! The token vault.
#![allow(clippy::expect_used, reason = "a test fails by it")]
#[macro_use]
mod common;
use common::{A, B, CONNECTION, Home};
use keys::{KeyError, Vault};
use schemas::{ids::ConnectionId, time::Millis};

on_each_database!(
    secrets_are_put_used_and_rotated,
    a_revoked_connection_is_for_the_revoker_and_a_destroyed_one_for_nobody,
    a_destroyed_workspace_has_no_tokens,
    a_token_moved_to_another_place_does_not_open,
    tokens_that_end_soon_are_listed_without_their_secrets,
    no_copy_of_a_destroyed_token_hides_among_many_others,
    a_destroyed_token_is_gone_while_others_hold_a_snapshot,
);

const OTHER: ConnectionId = ConnectionId([0xd; 16]);

async fn secrets(vault: &Vault, connection: ConnectionId, kind: &str) -> Result<Vec<Vec<u8>>, KeyError> {
    vault.use_active(connection, kind, |secrets| secrets.iter().map(|s| s.to_vec()).collect()).await
}

fn unknown() -> Result<Vec<Vec<u8>>, KeyError> {
    Err(KeyError::Unknown(format!("t/{CONNECTION}/access")))
}

/// Handlers run on any thread, so what they await must move between threads.
#[tokio::test]
async fn futures_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    let home = Home::new();
    let (keyring, vault) = (home.keyring().await, home.vault().await);
    moves(vault.use_active(CONNECTION, "access", |secrets| secrets.len()));
    moves(vault.put(CONNECTION, A, "line", "access", b""));
    moves(vault.rotate(CONNECTION, "access", b"", true));
    moves(vault.destroy_workspace(A));
    moves(keyring.seal(A, Default::default(), 1, b""));
    moves(keyring.sealer(A));
    moves(keyring.pseudonyms(A));
    moves(keyring.rotate_root());
    moves(keyring.rotate_workspace(A));
    moves(keyring.destroy_workspace(A));
    moves(keyring.destroy_day_keys(&[]));
    moves(keyring.export_day_keys(A, None));
    moves(keyring.open_field(A, "", b""));
}

async fn secrets_are_put_used_and_rotated(home: Home) {
    let (vault, other) = (home.vault().await, home.vault().await);
    assert_eq!(secrets(&vault, CONNECTION, "access").await, unknown());
    assert!(matches!(vault.rotate(CONNECTION, "access", b"", false).await, Err(KeyError::Unknown(_))));
    let mut generations = vec![vault.generation().await.expect("a number")];
    vault.put(CONNECTION, A, "line", "access", b"one").await.expect("stored");
    vault.put(CONNECTION, A, "line", "webhook", b"hook").await.expect("stored");
    generations.push(vault.generation().await.expect("a number"));
    assert_eq!(secrets(&other, CONNECTION, "access").await, Ok(vec![b"one".to_vec()]));
    vault.rotate(CONNECTION, "access", b"two", true).await.expect("rotated");
    assert_eq!(secrets(&other, CONNECTION, "access").await, Ok(vec![b"two".to_vec(), b"one".to_vec()]));
    vault.rotate(CONNECTION, "access", b"three", true).await.expect("rotated");
    assert_eq!(secrets(&other, CONNECTION, "access").await, Ok(vec![b"three".to_vec(), b"two".to_vec()]));
    generations.push(other.generation().await.expect("a number"));
    vault.rotate(CONNECTION, "access", b"four", false).await.expect("rotated");
    assert_eq!(secrets(&other, CONNECTION, "access").await, Ok(vec![b"four".to_vec()]));
    assert_eq!(secrets(&other, CONNECTION, "webhook").await, Ok(vec![b"hook".to_vec()]));
    generations.push(other.generation().await.expect("a number"));
    assert!(generations.is_sorted_by(|a, b| a < b), "{generations:?}");
    let moved = vault.put(CONNECTION, B, "line", "access", b"").await;
    assert!(matches!(moved, Err(KeyError::Integrity(_))), "{moved:?}");

    assert_eq!(vault.rotate_workspace(A).await, Ok(2));
    vault.rotate(CONNECTION, "access", b"five", true).await.expect("rotated");
    assert_eq!(secrets(&other, CONNECTION, "access").await, Ok(vec![b"five".to_vec(), b"four".to_vec()]));
}

async fn a_revoked_connection_is_for_the_revoker_and_a_destroyed_one_for_nobody(home: Home) {
    let (vault, other) = (home.vault().await, home.vault().await);
    vault.put(CONNECTION, A, "line", "access", b"one").await.expect("stored");
    assert_eq!(secrets(&other, CONNECTION, "access").await, Ok(vec![b"one".to_vec()]));
    let before = vault.generation().await.expect("a number");
    vault.revoke(CONNECTION).await.expect("revoked");
    assert!(other.generation().await.expect("a number") > before);
    assert_eq!(secrets(&other, CONNECTION, "access").await, unknown());
    assert!(matches!(vault.rotate(CONNECTION, "access", b"", false).await, Err(KeyError::Unknown(_))));
    assert!(matches!(vault.put(CONNECTION, A, "line", "access", b"").await, Err(KeyError::Limit(_))));
    assert_eq!(other.use_revoking(CONNECTION, "access", |s| s.len()).await, Ok(1));
    vault.destroy(CONNECTION).await.expect("destroyed");
    vault.destroy(CONNECTION).await.expect("twice changes nothing");
    vault.revoke(CONNECTION).await.expect("nothing to revoke");
    assert!(other.use_revoking(CONNECTION, "access", |s| s.len()).await.is_err());
    assert_eq!(secrets(&other, CONNECTION, "access").await, unknown());
    vault.put(CONNECTION, A, "line", "access", b"again").await.expect("connected again");
    let rows = home.sql("vault", "SELECT generation FROM tokens").await;
    let generations: Vec<i64> = rows.iter().map(|row| sqlx::Row::get(row, 0)).collect();
    assert_eq!(generations, [2], "a generation is not used twice");
}

async fn a_destroyed_workspace_has_no_tokens(home: Home) {
    let vault = home.vault().await;
    vault.put(OTHER, B, "line", "access", b"stays").await.expect("stored");
    let untouched = home.bodies("vault").await;
    vault.put(CONNECTION, A, "line", "access", b"goes").await.expect("stored");
    vault.rotate(CONNECTION, "access", b"goes as well", true).await.expect("rotated");
    let all = home.bodies("vault").await;
    vault.destroy_workspace(A).await.expect("destroyed");
    vault.destroy_workspace(A).await.expect("twice changes nothing");
    for vault in [&vault, &home.vault().await] {
        assert_eq!(secrets(vault, CONNECTION, "access").await, unknown());
        let put = vault.put(CONNECTION, A, "line", "access", b"").await;
        assert_eq!(put, Err(KeyError::Destroyed(format!("w/{A}"))));
        assert_eq!(secrets(vault, OTHER, "access").await, Ok(vec![b"stays".to_vec()]));
    }
    assert_eq!((untouched.len(), all.len()), (2, 5));
    let bytes = home.bytes().await;
    for body in all {
        assert_eq!(common::contains(&bytes, &body), untouched.contains(&body));
    }
}

async fn a_token_moved_to_another_place_does_not_open(home: Home) {
    let vault = home.vault().await;
    for statement in [
        "UPDATE tokens SET connection = x'0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d'",
        "UPDATE tokens SET kind = 'other'",
        "UPDATE tokens SET platform = 'zalo'",
        "UPDATE tokens SET generation = generation + 1",
        "UPDATE tokens SET commitment = x'00000000000000000000000000000000'",
        // Whatever that byte is: one in 256 is a zero already.
        "UPDATE bodies SET body = CASE WHEN substr(body, 13, 1) = x'00' \
         THEN substr(body, 1, 12) || x'01' || substr(body, 14) ELSE substr(body, 1, 12) || x'00' || substr(body, 14) END \
         WHERE id = (SELECT max(body) FROM tokens)",
    ] {
        vault.destroy(CONNECTION).await.expect("destroyed");
        home.sql("vault", "DELETE FROM tokens").await;
        vault.put(CONNECTION, A, "line", "access", b"secret").await.expect("stored");
        home.sql("vault", statement).await;
        let mut opened = Vec::new();
        for (connection, kind) in [(CONNECTION, "access"), (OTHER, "access"), (CONNECTION, "other")] {
            match secrets(&vault, connection, kind).await {
                Err(KeyError::Unknown(_)) => {}
                other => opened.push(other),
            }
        }
        assert!(matches!(opened[..], [Err(KeyError::Integrity(_))]), "{statement}: {opened:?}");
    }
}

async fn tokens_that_end_soon_are_listed_without_their_secrets(home: Home) {
    let vault = home.vault().await;
    for (connection, at) in [(CONNECTION, 2_000), (OTHER, 1_000)] {
        vault.put(connection, A, "lazada", "access", b"one").await.expect("stored");
        vault.set_expiry(connection, "access", Some(Millis(at))).await.expect("set");
    }
    let soon = vault.expiring(Millis(5_000), 10).await.expect("a list");
    let soon: Vec<_> = soon.iter().map(|e| (e.connection, e.platform.as_str(), e.kind.as_str(), e.at.0)).collect();
    assert_eq!(soon, [(OTHER, "lazada", "access", 1_000), (CONNECTION, "lazada", "access", 2_000)]);
    assert_eq!(vault.expiring(Millis(1_000), 10).await.expect("a list"), []);
    vault.rotate(OTHER, "access", b"two", false).await.expect("rotated");
    vault.revoke(CONNECTION).await.expect("revoked");
    assert_eq!(vault.expiring(Millis(5_000), 10).await.expect("a list"), []);
    assert!(vault.set_expiry(CONNECTION, "access", None).await.is_err());
}

async fn no_copy_of_a_destroyed_token_hides_among_many_others(home: Home) {
    let vault = home.vault().await;
    // Tokens of all lengths, replaced by longer and shorter ones, while others go for good.
    let secret = |i: u32| vec![i as u8; 20 + (i.wrapping_mul(2_654_435_761) % 900) as usize];
    let connection = |i: u32| ConnectionId((i.wrapping_mul(2_654_435_761) as u128).to_be_bytes());
    let (mut seen, mut number) = (std::collections::BTreeSet::new(), 0);
    for round in 0..5 {
        for i in (0..60).filter(|i| (i + round) % 3 != 0) {
            number += 1;
            vault.put(connection(i), A, "line", "access", &secret(number)).await.expect("stored");
            number += 1;
            vault.rotate(connection(i), "access", &secret(number), i % 2 == 0).await.expect("rotated");
        }
        seen.extend(home.bodies("vault").await);
        for i in (0..60).filter(|i| (i + round) % 4 == 0) {
            vault.destroy(connection(i)).await.expect("destroyed");
        }
    }
    let live: std::collections::BTreeSet<_> = home.bodies("vault").await.into_iter().collect();
    let gone: Vec<_> = seen.difference(&live).collect();
    assert!(gone.len() > 150, "{}", gone.len());
    let bytes = home.bytes().await;
    let windows: std::collections::HashSet<&[u8]> = bytes.windows(12).collect();
    let left = gone.iter().filter(|body| body.chunks_exact(12).any(|part| windows.contains(part))).count();
    assert_eq!(left, 0, "parts of destroyed tokens are left in the file");
}

/// As autovacuum does, or somebody who looks at other tables for hours.
async fn a_destroyed_token_is_gone_while_others_hold_a_snapshot(home: Home) {
    let vault = home.vault().await;
    vault.put(CONNECTION, A, "line", "access", b"goes").await.expect("stored");
    let all = home.bodies("vault").await;
    let watching = home.snapshot("vault").await;
    vault.destroy(CONNECTION).await.expect("destroyed");
    let live = home.bodies("vault").await;
    let gone: Vec<_> = all.iter().filter(|body| !live.contains(body)).collect();
    assert_eq!(gone.len(), 1, "the token");
    let bytes = home.bytes().await;
    assert!(gone.iter().all(|body| !common::contains(&bytes, body)), "a destroyed token is left in the file");
    drop(watching);
}
