//! The same data key never meets the same nonce twice, whatever restarts (`security.md` §1).
#![allow(clippy::expect_used, reason = "a test fails by it")]
mod common;
use common::{A, B, EVENT, Home};
use proptest::prelude::*;
use schemas::ids::WorkspaceId;
use std::{collections::HashSet, time::Duration};

#[derive(Debug, Clone)]
enum Step {
    Seal(WorkspaceId, &'static str, usize),
    Restart,
    Wait(u64),
    Rotate(WorkspaceId),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ws = || prop_oneof![Just(A), Just(B)];
    let step = prop_oneof![
        6 => (ws(), prop_oneof![Just("events"), Just("outbound")], 1usize..20).prop_map(|(w, t, n)| Step::Seal(w, t, n)),
        2 => Just(Step::Restart),
        2 => (0u64..4_000).prop_map(Step::Wait),
        1 => ws().prop_map(Step::Rotate),
    ];
    proptest::collection::vec(step, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 50, ..ProptestConfig::default() })]
    #[test]
    fn no_data_key_meets_a_nonce_twice(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let home = Home::new();
            let mut keyring = home.keyring().await;
            keyring.create_workspace(A).await.expect("keys");
            keyring.create_workspace(B).await.expect("keys");
            let (mut pairs, mut wrapping_nonces) = (HashSet::new(), HashSet::new());
            for step in steps {
                match step {
                    Step::Seal(ws, topic, count) => for _ in 0..count {
                        let record = keyring.seal_in(topic, ws, EVENT, 1, b"x").await.expect("sealed");
                        assert!(pairs.insert((record.dek, record.value[..12].to_vec())), "a nonce came twice");
                        wrapping_nonces.insert((record.dek, record.wrapped_dek[..12].to_vec()));
                    },
                    Step::Restart => keyring = home.keyring().await,
                    Step::Wait(seconds) => home.clock.advance(Duration::from_secs(seconds)),
                    Step::Rotate(ws) => { keyring.rotate_workspace(ws).await.expect("rotated"); }
                }
            }
            let deks: HashSet<_> = wrapping_nonces.iter().map(|(dek, _)| dek).collect();
            let nonces: HashSet<_> = wrapping_nonces.iter().map(|(_, nonce)| nonce).collect();
            assert_eq!((deks.len(), nonces.len()), (wrapping_nonces.len(), wrapping_nonces.len()));
        });
    }
}
