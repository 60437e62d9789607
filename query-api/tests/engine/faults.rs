//! What the engine does with a log that does not read, and with one that it has not read yet; and with a store that does not
//! answer.
use crate::{
    build::{after, agent, customer},
    world::{LONG, NOON, World, all_events},
};
use async_trait::async_trait;
use event_log::{Appended, Batch, EventLog, LogError, SharedLog};
use query_api::engine::types::{InboxFilter, QueryError, Walk};
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
    record::SealedRecord,
};
use std::sync::Arc;
use test_stores::{Faulty, Place};

/// A log that is read by nobody: reading fails, or takes for ever.
struct Unread {
    log: SharedLog,
    damaged: bool,
}

#[async_trait]
impl EventLog for Unread {
    fn epoch(&self) -> LogEpoch {
        self.log.epoch()
    }
    fn slots(&self) -> u32 {
        self.log.slots()
    }
    async fn append(&self, slot: Slot, records: Vec<SealedRecord>) -> Result<Appended, LogError> {
        self.log.append(slot, records).await
    }
    async fn read(&self, _: Slot, _: Offset, _: usize) -> Result<Batch, LogError> {
        if self.damaged { Err(LogError::Damaged("a test".into())) } else { std::future::pending().await }
    }
    async fn wait(&self, slot: Slot, at: Offset) -> Result<(), LogError> {
        self.log.wait(slot, at).await
    }
    async fn start(&self, slot: Slot) -> Result<Offset, LogError> {
        self.log.start(slot).await
    }
    async fn end(&self, slot: Slot) -> Result<Offset, LogError> {
        self.log.end(slot).await
    }
    async fn truncate(&self, slot: Slot, below: Offset) -> Result<(), LogError> {
        self.log.truncate(slot, below).await
    }
}

async fn world(damaged: bool) -> (World, crate::world::Running) {
    let mut world = World::new().await;
    let log = world.log.clone();
    world.log = Arc::new(Unread { log: log.clone(), damaged });
    let engine = world.engine().await;
    world.log = log;
    (world, engine)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tasks_end_when_the_log_is_damaged() {
    let (_world, mut engine) = world(true).await;
    tokio::time::timeout(LONG, engine.ended()).await.expect("ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_read_is_needed_although_it_has_landed() {
    let (world, engine) = world(false).await;
    let ws = world.workspace("a", None).await;
    let position = world.append(&ws, &[customer(1, 1, NOON)]).await;
    world.land(ws.slot, position.next).await;
    engine.refresh().await.expect("refreshed");
    assert!(engine.pins().contains(&(ws.slot, Offset(0))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loading_does_not_count_against_the_wait_for_a_position() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let position = world.append(&ws, &[customer(1, 1, NOON)]).await;
    world.land(ws.slot, position.next).await;
    let engine = world.engine().await;
    engine.reach(ws.id, position, std::time::Duration::ZERO).await.expect("reached");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_to_a_view_that_is_gone_does_not_pin_the_log() {
    let world = World::new().await;
    let ws = world.workspace("a", None).await;
    let engine = world.engine().await;
    let subscription = engine.subscribe(ws.id).await.expect("subscribed");
    let position = world.tell(&engine, &ws, &[customer(1, 1, NOON)]).await;
    world.land(ws.slot, position.next).await;
    world.keyring.destroy_workspace(ws.id).await.expect("destroyed");
    assert!(engine.counts(ws.id, &Default::default()).await.is_err());
    engine.refresh().await.expect("refreshed");
    let released = async {
        // Who was folding at this moment lets go of the view a little later.
        while !engine.pins().contains(&(ws.slot, position.next)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, released).await.expect("nobody needs the log");
    drop(subscription);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_landed_file_closely_is_seen_without_the_store() {
    let faulty = Faulty::new(Place::memory().store, 1);
    let directory = tempfile::TempDir::new().expect("a directory");
    let world = World::on(directory, Place::bucket(Arc::new(faulty.clone()))).await;
    let ws = world.workspace("a", None).await;
    let engine = world.engine().await;
    let of_two_days = [customer(1, 1, NOON), customer(2, 1, after(NOON, -86_400)), customer(3, 2, NOON)];
    let position = world.tell(&engine, &ws, &of_two_days).await;
    world.land(ws.slot, position.next).await;
    engine.refresh().await.expect("refreshed");

    // Within the window of what was landed: a second of a customer's message, an hour of the business's.
    faulty.fail(1000);
    let position = world.append(&ws, &[customer(4, 1, NOON), agent(5, 2, after(NOON, 1800))]).await;
    engine.reach(ws.id, position, LONG).await.expect("reached");
    let page = engine.conversations(ws.id, &InboxFilter::default(), Walk::Start, 200).await.expect("a page");
    assert_eq!(page.items.iter().map(|item| item.message_count).sum::<u64>(), 5);
    assert_eq!(faulty.met(), 0, "nothing was asked of the store");

    // Whether this one is a copy only the file knows for sure.
    world.append(&ws, &[customer(1, 1, after(NOON, 1))]).await;
    let refused = async {
        loop {
            match engine.conversations(ws.id, &InboxFilter::default(), Walk::Start, 200).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => return error,
            }
        }
    };
    let error = tokio::time::timeout(LONG, refused).await.expect("refused");
    assert!(matches!(error, QueryError::Unavailable(_)), "{error:?}");
    faulty.fail(0);
    assert_eq!(all_events(&engine, ws.id, 100).await.len(), 5);
}
