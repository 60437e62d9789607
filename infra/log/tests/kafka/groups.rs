//! Slots shared by processes.
use crate::support::Broker;
use event_log::{
    assignment::{Assignment, Change},
    kafka::Group,
};
use schemas::log::Slot;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::timeout;

/// Long enough for any rebalance.
const SOON: Duration = Duration::from_secs(60);

/// A member, and what it has.
struct Member {
    group: Group,
    has: BTreeSet<Slot>,
}

impl Member {
    fn join(broker: &Broker, topic: &str, name: &str) -> Self {
        Self { group: Group::join(&broker.options(topic), name).unwrap(), has: BTreeSet::new() }
    }

    /// Takes one change; what is revoked is released at once.
    async fn step(&mut self) {
        match self.group.next().await.unwrap() {
            Change::Assigned(slots) => slots.into_iter().for_each(|slot| assert!(self.has.insert(slot))),
            Change::Revoked(slots, release) => {
                slots.iter().for_each(|slot| assert!(self.has.remove(slot)));
                drop(release);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_are_shared_taken_over_and_never_owned_twice() {
    let Some(broker) = Broker::given() else { return };
    let topic = broker.topic(4).await;
    let mut one = Member::join(&broker, &topic, &topic);
    timeout(SOON, async {
        while one.has.len() < 4 {
            one.step().await;
        }
    })
    .await
    .unwrap();
    let mut other = Member::join(&broker, &topic, &topic);
    // The first has to let go before the second gets any.
    let revoked = timeout(SOON, one.group.next()).await.unwrap().unwrap();
    let Change::Revoked(slots, release) = revoked else { panic!("{revoked:?}") };
    assert_eq!(slots.len(), 2);
    assert!(timeout(Duration::from_secs(2), other.group.next()).await.is_err(), "they are not released yet");
    slots.iter().for_each(|slot| assert!(one.has.remove(slot)));
    drop(release);
    timeout(SOON, async {
        while other.has.len() < 2 {
            tokio::select! {
                () = one.step() => {}
                () = other.step() => {}
            }
            assert!(one.has.is_disjoint(&other.has));
        }
    })
    .await
    .unwrap();
    // One leaves, and once it has, the brokers know: the other takes over without waiting for a session to run out.
    Box::new(other.group).leave().await;
    assert_eq!(broker.members(&topic), 1);
    timeout(SOON, async {
        while one.has.len() < 4 {
            one.step().await;
        }
    })
    .await
    .unwrap();
}
