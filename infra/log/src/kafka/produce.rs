//! Appends: one idempotent producer for all slots, and for each slot a writer that has one group of appends under way.
//!
//! Whoever comes while a group is under way goes with the next one, so that there are as many requests as the brokers
//! answer and no more. Left to librdkafka there would be up to five requests of a slot under way, the rest waiting behind
//! them, and while any wait it asks over and over whether it may send: it keeps a core busy just while the brokers are slow.
use super::{
    client::{BATCH_BYTES, Context, RECORD_BYTES, REQUESTS, producing},
    ends::Ends,
    headers,
    options::{KafkaError, Options},
};
use crate::{Appended, LogError};
use parking_lot::Mutex;
use rdkafka::{
    error::{KafkaError as RdError, RDKafkaErrorCode},
    producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _},
};
use schemas::{
    log::{Offset, Slot},
    record::SealedRecord,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::Instant,
};

/// Appends that may wait for their slot's writer; who comes then waits for room.
const WAITING: usize = 1024;
/// How often an append that waits for room in the queue looks again.
const LOOK: Duration = Duration::from_millis(2);
/// What a record may take beside its value: headers, key, and Kafka's own.
const OVERHEAD: usize = 1 << 10;
/// What it takes beside its fields: the headers' names and lengths.
const NAMES: usize = 64;
/// How long a group waits for one of all slots' to be answered before it goes all the same: a broker that hangs must not
/// hold up the slots of the others.
const TURN: Duration = Duration::from_millis(50);
/// How long the end waits for what is under way.
const FLUSH: Duration = Duration::from_secs(2);

/// See the module's documentation.
pub(super) struct Producer {
    sender: Arc<Sender>,
    writers: Vec<mpsc::Sender<Append>>,
}

/// An append that waits for its turn.
struct Append {
    records: Vec<SealedRecord>,
    asked: Instant,
    answer: oneshot::Sender<Result<Appended, LogError>>,
}

impl Append {
    fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.encoded_len() + NAMES).sum()
    }
}

impl Producer {
    /// Starts the writers; inside a runtime, which they live in.
    pub fn new(
        options: &Options,
        context: Context,
        topic: Arc<str>,
        ends: Arc<Ends>,
        slots: u32,
    ) -> Result<Self, KafkaError> {
        let current = producing(options).create_with_context(context.clone());
        let current = current.map_err(|error| KafkaError::Refused(error.to_string()))?;
        let sender = Arc::new(Sender {
            options: options.clone(),
            context,
            topic,
            ends,
            current: Mutex::new(current),
            requests: Semaphore::new(REQUESTS),
            closed: AtomicBool::new(false),
        });
        let writer = |slot| {
            let (writer, appends) = mpsc::channel(WAITING);
            tokio::spawn(sender.clone().write(Slot(slot), appends));
            writer
        };
        let writers = (0..slots).map(writer).collect();
        Ok(Self { sender, writers })
    }

    /// Appends to a slot that there is; at least one record.
    pub async fn append(&self, slot: Slot, records: Vec<SealedRecord>) -> Result<Appended, LogError> {
        if let Some(large) = records.iter().find(|record| record.value.len() > RECORD_BYTES - OVERHEAD) {
            return Err(LogError::Unavailable(format!("a record has {} bytes", large.value.len())));
        }
        if !records.iter().all(headers::fits) {
            return Err(LogError::Unavailable("a record has a field that is too long".into()));
        }
        self.sender.check_open()?;
        let writer = self.writers.get(slot.0 as usize).ok_or(LogError::NoSuchSlot(slot))?;
        let (answer, answered) = oneshot::channel();
        let ended = || LogError::Unavailable("its writer has ended".into());
        writer.send(Append { records, asked: Instant::now(), answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// Refuses what comes later or still waits for its turn, and waits shortly for what is under way.
    pub async fn close(&self) {
        self.sender.closed.store(true, Ordering::SeqCst);
        let producer = self.sender.current.lock().clone();
        let flushed = tokio::task::spawn_blocking(move || producer.flush(FLUSH)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("not everything that was under way to Kafka was acknowledged; nobody was told that it was");
        }
    }
}

/// What all writers share.
struct Sender {
    options: Options,
    context: Context,
    topic: Arc<str>,
    ends: Arc<Ends>,
    current: Mutex<FutureProducer<Context>>,
    /// So many groups are under way at once, whatever their slots, while all are answered in time: a broker may lead all.
    requests: Semaphore,
    closed: AtomicBool,
}

impl Sender {
    fn check_open(&self) -> Result<(), LogError> {
        match self.closed.load(Ordering::SeqCst) {
            true => Err(LogError::Unavailable("it is closed".into())),
            false => Ok(()),
        }
    }

    /// Writes to a slot until nobody can append any more.
    async fn write(self: Arc<Self>, slot: Slot, mut appends: mpsc::Receiver<Append>) {
        while let Some(first) = appends.recv().await {
            let _request = tokio::time::timeout(TURN, self.requests.acquire()).await;
            let mut bytes = first.bytes();
            let mut group = vec![first];
            while bytes < BATCH_BYTES / 4 * 3
                && let Ok(more) = appends.try_recv()
            {
                bytes += more.bytes();
                group.push(more);
            }
            self.write_group(slot, group).await;
        }
    }

    /// Queues all of a group, one behind the other, and then waits for each.
    async fn write_group(&self, slot: Slot, group: Vec<Append>) {
        let producer = self.current.lock().clone();
        let mut under_way = Vec::with_capacity(group.len());
        for Append { records, asked, answer } in group {
            let deadline = asked + self.options.patience;
            // Whoever has given up may come again, and then it would be there twice.
            let queued = match answer.is_closed() || Instant::now() > deadline {
                true => Err(LogError::Unavailable(self.context.explained(&"the brokers do not keep up"))),
                false => self.queue(&producer, slot, &records, deadline).await,
            };
            under_way.push((queued, answer));
        }
        for (queued, answer) in under_way {
            let appended = match queued {
                Ok(deliveries) => self.delivered(&producer, slot, deliveries).await,
                Err(error) => Err(error),
            };
            // Nobody listens where the caller's own patience was over.
            let _ = answer.send(appended);
        }
    }

    async fn delivered(
        &self,
        producer: &FutureProducer<Context>,
        slot: Slot,
        deliveries: Vec<DeliveryFuture>,
    ) -> Result<Appended, LogError> {
        let (mut appended, mut failure) = (None::<Appended>, None);
        for delivery in deliveries {
            match delivery.await {
                Ok(Ok(delivery)) => {
                    let offset = Offset::from_i64(delivery.offset);
                    let so_far = appended.get_or_insert(Appended { first: offset, next: offset.next() });
                    so_far.first = so_far.first.min(offset);
                    so_far.next = so_far.next.max(offset.next());
                }
                Ok(Err((error, _))) => drop(failure.get_or_insert(error)),
                Err(_) => drop(failure.get_or_insert(RdError::Canceled)),
            }
        }
        if let Some(appended) = appended {
            self.ends.note(slot, appended.next);
        }
        match (appended, failure) {
            (Some(appended), None) => Ok(appended),
            (_, failure) => {
                self.renew(producer);
                let failure = failure.unwrap_or(RdError::Canceled);
                Err(LogError::Unavailable(self.context.explained(&failure)))
            }
        }
    }

    async fn queue(
        &self,
        producer: &FutureProducer<Context>,
        slot: Slot,
        records: &[SealedRecord],
        deadline: Instant,
    ) -> Result<Vec<DeliveryFuture>, LogError> {
        self.check_open()?;
        let partition = i32::try_from(slot.0).map_err(|_| LogError::NoSuchSlot(slot))?;
        let mut deliveries = Vec::with_capacity(records.len());
        for record in records {
            let mut message = FutureRecord::to(&self.topic)
                .partition(partition)
                .key(&record.workspace.0[..])
                .payload(&record.value[..])
                .headers(headers::headers(record));
            loop {
                message = match producer.send_result(message) {
                    Ok(delivery) => {
                        deliveries.push(delivery);
                        break;
                    }
                    Err((RdError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                        if Instant::now() < deadline =>
                    {
                        back
                    }
                    Err((error, _)) => {
                        self.renew(producer);
                        return Err(LogError::Unavailable(self.context.explained(&error)));
                    }
                };
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(deliveries)
    }

    /// An idempotent producer that has met a fatal error refuses everything from then on; a new one begins a new sequence.
    fn renew(&self, failed: &FutureProducer<Context>) {
        let Some((code, why)) = failed.client().fatal_error() else { return };
        let mut current = self.current.lock();
        if current.client().native_ptr() != failed.client().native_ptr() {
            return;
        }
        tracing::warn!(%code, why, "the producer cannot go on and is made anew");
        match producing(&self.options).create_with_context(self.context.clone()) {
            Ok(new) => *current = new,
            Err(error) => tracing::error!(%error, "no new producer can be made; appending is tried again"),
        }
    }
}
