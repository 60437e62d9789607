//! The slots of one process among several: a consumer group that assigns partitions and reads nothing.
//!
//! What rebalances do comes out as messages ([`Change`]). A revocation waits for its release before the group gives the
//! partitions to others; where that takes too long, the group goes on, and the generation in the catalog fences.
use super::{
    client::grouping,
    options::{KafkaError, Options},
};
use crate::{
    LogError,
    assignment::{Assignment, Change, Release},
};
use async_trait::async_trait;
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance},
    error::KafkaError as RdError,
};
use schemas::log::Slot;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::mpsc;

/// How long the group waits for a release. Less than the interval in which librdkafka wants to be polled.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);
/// How long leaving may take; brokers that do not answer find out by the session's timeout.
const LEAVE: Duration = Duration::from_secs(2);

/// See the module's documentation.
pub struct Group {
    changes: mpsc::UnboundedReceiver<Change>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Group {
    /// Joins the group of this name on the log's topic. Its first change comes when the group has met.
    ///
    /// # Errors
    /// See [`KafkaError`].
    pub fn join(options: &Options, name: &str) -> Result<Self, KafkaError> {
        options.check()?;
        let refused = |error: RdError| KafkaError::Refused(error.to_string());
        let (sender, changes) = mpsc::unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let context = GroupContext { changes: sender, stop: stop.clone() };
        let consumer: BaseConsumer<GroupContext> =
            grouping(options, name).create_with_context(context).map_err(refused)?;
        consumer.subscribe(&[options.topic.as_str()]).map_err(refused)?;
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name("kafka-group".into())
            .spawn(move || serve(&consumer, &stopped))
            .map_err(|error| KafkaError::Unavailable(error.to_string()))?;
        Ok(Self { changes, stop, thread: Some(thread) })
    }
}

/// Serves heartbeats and rebalances. What comes before a partition is paused is of no interest.
fn serve(consumer: &BaseConsumer<GroupContext>, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        if let Some(Err(error)) = consumer.poll(POLL) {
            tracing::warn!(%error, "the group of the land workers");
        }
    }
}

#[async_trait]
impl Assignment for Group {
    async fn next(&mut self) -> Result<Change, LogError> {
        self.changes.recv().await.ok_or_else(|| LogError::Unavailable("the group's thread has ended".into()))
    }

    async fn leave(mut self: Box<Self>) {
        self.stop.store(true, Ordering::SeqCst);
        let Some(thread) = self.thread.take() else { return };
        // The thread drops the consumer, and that is what leaves.
        let left = tokio::task::spawn_blocking(move || thread.join());
        if tokio::time::timeout(LEAVE, left).await.is_err() {
            tracing::warn!("the group was not left in time; its slots go to others when the session has run out");
        }
    }
}

impl Drop for Group {
    /// The thread leaves the group within a poll.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Turns rebalances into messages; called on the group's thread.
struct GroupContext {
    changes: mpsc::UnboundedSender<Change>,
    stop: Arc<AtomicBool>,
}

fn slots(partitions: &TopicPartitionList) -> Vec<Slot> {
    partitions.elements().iter().filter_map(|element| u32::try_from(element.partition()).ok()).map(Slot).collect()
}

impl ClientContext for GroupContext {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: RdError, reason: &str) {
        tracing::warn!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for GroupContext {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(partitions) = rebalance else { return };
        let slots = slots(partitions);
        let (release, released) = Release::new();
        if slots.is_empty() || self.changes.send(Change::Revoked(slots, release)).is_err() {
            return;
        }
        // Who was lost has nothing to wait for: others have its slots already.
        if consumer.assignment_lost() || self.stop.load(Ordering::SeqCst) {
            return;
        }
        let deadline = std::time::Instant::now() + PATIENCE;
        let mut released = released;
        while matches!(released.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Empty)) {
            if std::time::Instant::now() > deadline {
                tracing::warn!("slots were not released in time; the catalog fences whoever still works on them");
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(partitions) = rebalance else { return };
        // Membership is all that is wanted of it.
        if let Err(error) = consumer.pause(partitions) {
            tracing::warn!(%error, "the partitions of the group cannot be paused");
        }
        let slots = slots(partitions);
        if !slots.is_empty() {
            // Nobody listens any more: the group is being left.
            let _ = self.changes.send(Change::Assigned(slots));
        }
    }
}
