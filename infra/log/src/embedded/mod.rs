//! The event log of a single process: durable, in one directory, without a service beside it.
//!
//! All slots share one stream of segment files, so that one `fdatasync` serves whatever waits; each append call is one
//! checksummed frame, so that it is there whole or not at all. The crate's README has the file format, the reasons for
//! an own implementation, and what happens on which failure.
mod ahead;
mod cache;
mod format;
mod group;
mod index;
mod open;
mod options;
mod queue;
mod read;
mod scan;
mod segment;
mod storage;
#[cfg(test)]
mod tests;
mod writer;

pub use options::{OpenError, Options};
pub use storage::{Disk, LogFile, Storage};

use crate::{
    Appended, Batch, EventLog, LogError,
    reached::{Closed, Reached},
};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use queue::{Append, Command, Shared};
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
    record::SealedRecord,
};
use std::{sync::Arc, thread};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// What a permit of the queue stands for.
const ROOM_BYTES: usize = 1 << 10;

/// See the module's documentation. Dropping the last handle writes out what waits and blocks shortly for it;
/// [`EventLog::close`] does the same without blocking.
pub struct EmbeddedLog {
    epoch: LogEpoch,
    shared: Arc<Shared>,
    queue: mpsc::Sender<Command>,
    /// Bytes that may wait, in units of `ROOM_BYTES`.
    room: Arc<Semaphore>,
    room_units: u32,
    writer: Mutex<Option<thread::JoinHandle<()>>>,
}

impl EmbeddedLog {
    /// Opens the log, or creates it if the directory holds none. Reads all segments once, so on a large log it takes
    /// as long as the disk needs for that; in async code, call it where blocking is allowed.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: Options) -> Result<Arc<Self>, OpenError> {
        let open::Opened { meta, state, active, lock } = open::open(&options)?;
        let ends = state.ends().into_iter().map(|next| Reached::new(Offset(next))).collect();
        let (queue, waiting) = mpsc::channel(options.queue_appends);
        let units = options.queue_bytes.div_ceil(ROOM_BYTES).min(Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let directory = options.directory.clone();
        let shared = Arc::new(Shared { options, state: Mutex::new(state), ends });
        let writer = writer::Writer::new(shared.clone(), waiting, active, lock);
        let writer = thread::Builder::new()
            .name("event-log".into())
            .spawn(move || writer.run())
            .map_err(|error| OpenError::Io { directory, error })?;
        Ok(Arc::new(Self {
            epoch: meta.epoch,
            shared,
            queue,
            room: Arc::new(Semaphore::new(units)),
            room_units: units as u32,
            writer: Mutex::new(Some(writer)),
        }))
    }

    async fn send(&self, command: Command) -> Result<(), LogError> {
        self.queue.send(command).await.map_err(|_| stopped())
    }

    fn slot(&self, slot: Slot) -> Result<usize, LogError> {
        let index = slot.0 as usize;
        (index < self.shared.ends.len()).then_some(index).ok_or(LogError::NoSuchSlot(slot))
    }
}

fn stopped() -> LogError {
    LogError::Unavailable("it is closed".into())
}

/// The payload of one append call's frame.
fn encode(records: &[SealedRecord]) -> Result<Bytes, LogError> {
    let len = records.iter().map(SealedRecord::encoded_len).sum();
    if len as u64 > options::MAX_FRAME_BYTES {
        return Err(LogError::Unavailable(format!("{len} bytes in one append, {} can be", options::MAX_FRAME_BYTES)));
    }
    let mut bytes = Vec::with_capacity(len);
    for record in records {
        record.encode(&mut bytes).map_err(|_| LogError::Unavailable("a record has a field that is too long".into()))?;
    }
    Ok(bytes.into())
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn epoch(&self) -> LogEpoch {
        self.epoch
    }

    fn slots(&self) -> u32 {
        self.shared.ends.len() as u32
    }

    /// All or none, next to each other.
    async fn append(&self, slot: Slot, records: Vec<SealedRecord>) -> Result<Appended, LogError> {
        let index = self.slot(slot)?;
        if records.is_empty() {
            let end = Offset(self.shared.state.lock().end(index));
            return Ok(Appended { first: end, next: end });
        }
        let (count, payload) = (records.len() as u32, encode(&records)?);
        drop(records);
        // One append larger than all the room has it for itself.
        let units = (payload.len().div_ceil(ROOM_BYTES) as u32).min(self.room_units);
        let room = self.room.clone().acquire_many_owned(units).await.map_err(|_| stopped())?;
        let crc = crc32c::crc32c(&payload);
        let (done, answer) = oneshot::channel();
        self.send(Command::Append(Append { slot: slot.0, count, payload, crc, done, _room: room })).await?;
        let first = answer.await.map_err(|_| stopped())??;
        Ok(Appended { first, next: Offset(first.0 + u64::from(count)) })
    }

    async fn read(&self, slot: Slot, from: Offset, max_bytes: usize) -> Result<Batch, LogError> {
        let index = self.slot(slot)?;
        let plan = {
            let state = self.shared.state.lock();
            let start = state.marks[index];
            if from.0 < start {
                return Err(LogError::Gone { slot, asked: from, start: Offset(start) });
            }
            state.plan(index, from.0, max_bytes)
        };
        if plan.disk.is_empty() {
            return read::read(plan, from.0, max_bytes);
        }
        // The plan holds the files open, so a truncation meanwhile does not matter.
        let read = tokio::task::spawn_blocking(move || read::read(plan, from.0, max_bytes));
        read.await.map_err(|error| LogError::Damaged(format!("reading stopped: {error}")))?
    }

    async fn wait(&self, slot: Slot, at: Offset) -> Result<(), LogError> {
        self.shared.ends[self.slot(slot)?].passed(at).await.map_err(|Closed| stopped())
    }

    async fn start(&self, slot: Slot) -> Result<Offset, LogError> {
        let index = self.slot(slot)?;
        Ok(Offset(self.shared.state.lock().marks[index]))
    }

    async fn end(&self, slot: Slot) -> Result<Offset, LogError> {
        let index = self.slot(slot)?;
        Ok(Offset(self.shared.state.lock().end(index)))
    }

    async fn truncate(&self, slot: Slot, below: Offset) -> Result<(), LogError> {
        let (done, answer) = oneshot::channel();
        self.send(Command::Truncate { slot: self.slot(slot)?, below: below.0, done }).await?;
        answer.await.map_err(|_| stopped())
    }

    /// Closes a segment that has become old and deletes what nobody needs, as append and truncate do on the way.
    async fn maintain(&self) -> Result<(), LogError> {
        let (done, answer) = oneshot::channel();
        self.send(Command::Maintain(done)).await?;
        answer.await.map_err(|_| stopped())?
    }

    fn disk_bytes(&self) -> u64 {
        self.shared.state.lock().total_bytes()
    }

    /// Lets go of the directory too. Reading goes on to work.
    async fn close(&self) {
        // An error means that it is closing already.
        let _ = self.queue.send(Command::Close).await;
        if let Some(end) = self.shared.ends.first() {
            end.closed().await;
        }
    }
}

impl Drop for EmbeddedLog {
    /// Waits for the writer, so that whoever drops the last handle can open the log again.
    fn drop(&mut self) {
        // The writer ends when nobody can send any more.
        self.queue = mpsc::channel(1).0;
        if let Some(writer) = self.writer.get_mut().take() {
            let _ = writer.join();
        }
    }
}
