//! What the engine does with a log that does not read, and with one that it has not read yet.
use crate::{
    build::customer,
    world::{LONG, NOON, World},
};
use async_trait::async_trait;
use event_log::{Appended, Batch, EventLog, LogError, SharedLog};
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
    record::SealedRecord,
};
use std::sync::Arc;

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
