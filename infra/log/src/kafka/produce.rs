//! Appends: one idempotent producer for all slots.
use super::{
    client::{Context, RECORD_BYTES, producing},
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
use tokio::time::Instant;

/// How often an append that waits for room in the queue looks again.
const LOOK: Duration = Duration::from_millis(2);
/// What a record may take beside its value: headers, key, and Kafka's own.
const OVERHEAD: usize = 1 << 10;
/// How long the end waits for what is under way.
const FLUSH: Duration = Duration::from_secs(2);

/// See the module's documentation.
pub(super) struct Producer {
    options: Options,
    context: Context,
    topic: Arc<str>,
    ends: Arc<Ends>,
    current: Mutex<FutureProducer<Context>>,
    /// Held while the records of one append are queued, so that they come in their order.
    turns: Vec<tokio::sync::Mutex<()>>,
    closed: AtomicBool,
}

impl Producer {
    pub fn new(
        options: &Options,
        context: Context,
        topic: Arc<str>,
        ends: Arc<Ends>,
        slots: u32,
    ) -> Result<Self, KafkaError> {
        let current = producing(options).create_with_context(context.clone());
        let current = current.map_err(|error| KafkaError::Refused(error.to_string()))?;
        Ok(Self {
            options: options.clone(),
            context,
            topic,
            ends,
            current: Mutex::new(current),
            turns: (0..slots).map(|_| tokio::sync::Mutex::default()).collect(),
            closed: AtomicBool::new(false),
        })
    }

    /// Appends to a slot that there is; at least one record.
    pub async fn append(&self, slot: Slot, records: Vec<SealedRecord>) -> Result<Appended, LogError> {
        if let Some(large) = records.iter().find(|record| record.value.len() > RECORD_BYTES - OVERHEAD) {
            return Err(LogError::Unavailable(format!("a record has {} bytes", large.value.len())));
        }
        if !records.iter().all(headers::fits) {
            return Err(LogError::Unavailable("a record has a field that is too long".into()));
        }
        if self.closed.load(Ordering::SeqCst) {
            return Err(LogError::Unavailable("it is closed".into()));
        }
        let producer = self.current.lock().clone();
        let deliveries = self.queue(&producer, slot, &records).await?;
        drop(records);
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
                self.renew(&producer);
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
    ) -> Result<Vec<DeliveryFuture>, LogError> {
        let index = slot.0 as usize;
        let _turn = self.turns.get(index).ok_or(LogError::NoSuchSlot(slot))?.lock().await;
        let partition = i32::try_from(slot.0).map_err(|_| LogError::NoSuchSlot(slot))?;
        let deadline = Instant::now() + self.options.patience;
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

    /// Refuses what comes later and waits shortly for what is under way.
    pub async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let producer = self.current.lock().clone();
        let flushed = tokio::task::spawn_blocking(move || producer.flush(FLUSH)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("not everything that was under way to Kafka was acknowledged; nobody was told that it was");
        }
    }
}
