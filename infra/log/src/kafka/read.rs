//! Reads one slot: from a few cursors, each of which goes on where the last read from it ended, so that those who follow
//! the slot at different distances do not disturb each other.
use super::{
    client::{Context, Pace},
    cursor::{Cursor, Stop},
    ends::Ends,
    options::Options,
};
use crate::{Batch, LogError};
use parking_lot::Mutex;
use schemas::{
    log::{Offset, Slot},
    time::Millis,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Cursors of a slot: for land, for the tail, and for what is read again out of order.
const CURSORS: usize = 3;
/// How often who waits asks again whether the brokers are there, and how often for a place that lies ahead.
const ASK_AGAIN: Duration = Duration::from_secs(5);
const ASK_AHEAD: Duration = Duration::from_millis(250);

struct Pool {
    /// Not in use, the one that was used last at the end.
    idle: Mutex<Vec<Cursor>>,
    room: Arc<Semaphore>,
    closed: AtomicBool,
}

/// See the module's documentation.
pub(super) struct Reader {
    options: Options,
    context: Context,
    topic: Arc<str>,
    slot: Slot,
    ends: Arc<Ends>,
    pool: Arc<Pool>,
}

/// A cursor in use. It goes back when this is dropped, wherever it stands then.
struct Taken {
    cursor: Option<Cursor>,
    pool: Arc<Pool>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(cursor) = self.cursor.take()
            && !self.pool.closed.load(Ordering::SeqCst)
        {
            self.pool.idle.lock().push(cursor);
        }
    }
}

impl Reader {
    pub fn new(options: &Options, context: &Context, topic: Arc<str>, slot: Slot, ends: Arc<Ends>) -> Self {
        let pool =
            Pool { idle: Mutex::default(), room: Arc::new(Semaphore::new(CURSORS)), closed: AtomicBool::new(false) };
        Self { options: options.clone(), context: context.clone(), topic, slot, ends, pool: Arc::new(pool) }
    }

    /// See [`crate::EventLog::read`].
    pub async fn read(&self, from: Offset, max_bytes: usize) -> Result<Batch, LogError> {
        if from >= self.ends.known(self.slot) && from >= self.ends.end(self.slot).await? {
            return Ok(Batch { records: Vec::new(), next: from });
        }
        let mut cursor = self.take(from).await?;
        cursor.get()?.go(from)?;
        self.first(&mut cursor, from).await?;
        let entries = match cursor.get()?.drain(max_bytes) {
            Ok(entries) => entries,
            Err(stop) => return Err(self.why(stop, from).await),
        };
        let next = entries.last().map_or(from, |entry| entry.offset.next());
        self.ends.note(self.slot, next);
        Ok(Batch { records: entries.into_iter().map(|entry| (entry.offset, entry.record)).collect(), next })
    }

    /// See [`crate::EventLog::wait`].
    pub async fn wait(&self, at: Offset) -> Result<(), LogError> {
        if self.ends.known(self.slot) > at {
            return Ok(());
        }
        tokio::select! {
            passed = self.ends.passed(self.slot, at) => passed,
            probed = self.probe(at) => probed,
        }
    }

    /// See [`crate::EventLog::appended_at`].
    pub async fn appended_at(&self, at: Offset) -> Result<Option<Millis>, LogError> {
        if at >= self.ends.end(self.slot).await? {
            return Ok(None);
        }
        let mut cursor = self.take(at).await?;
        cursor.get()?.go(at)?;
        self.first(&mut cursor, at).await
    }

    /// Lets go of the consumers that nobody uses now, and later of the others.
    pub fn close(&self) {
        self.pool.closed.store(true, Ordering::SeqCst);
        close(std::mem::take(&mut *self.pool.idle.lock()));
    }

    /// Asks the brokers until there is a record at or after `at`. At the end a fetch hangs at the broker until one comes;
    /// further ahead, where nothing can be fetched, the end is asked for now and then.
    async fn probe(&self, at: Offset) -> Result<(), LogError> {
        let mut is_first = true;
        loop {
            // Where reading has come to an end a fetch can stand at once.
            let known = self.ends.known(self.slot);
            let end =
                if is_first && known == at && at > Offset(0) { known } else { self.ends.ask(self.slot).await?.end };
            is_first = false;
            if end > at {
                return Ok(());
            }
            if end < at {
                tokio::time::sleep(ASK_AHEAD).await;
                continue;
            }
            let mut cursor = self.take(at).await?;
            cursor.get()?.go(at)?;
            match timeout(ASK_AGAIN, cursor.get()?.peek()).await {
                Ok(Ok(entry)) => {
                    let next = entry.offset.next();
                    self.ends.note(self.slot, next);
                    return Ok(());
                }
                Ok(Err(stop)) => return Err(self.why(stop, at).await),
                Err(_) => {}
            }
        }
    }

    /// Waits for the record at `from`; when it was appended.
    async fn first(&self, cursor: &mut Taken, from: Offset) -> Result<Option<Millis>, LogError> {
        // A record that is known to be there comes within this time, or the brokers are not well.
        match timeout(self.options.patience * 2, cursor.get()?.peek()).await {
            Ok(Ok(entry)) => Ok(entry.at),
            Ok(Err(stop)) => Err(self.why(stop, from).await),
            Err(_) => Err(LogError::Unavailable(self.context.explained(&"no record came in time"))),
        }
    }

    async fn why(&self, stop: Stop, asked: Offset) -> LogError {
        match stop {
            Stop::Error(error) => error,
            Stop::OutOfRange => match self.ends.ask(self.slot).await {
                Ok(marks) if asked < marks.start => LogError::Gone { slot: self.slot, asked, start: marks.start },
                Ok(marks) if asked > marks.end => LogError::Damaged(format!(
                    "offset {asked} of slot {} was there, and the log ends at {}: acknowledged records are lost",
                    self.slot, marks.end
                )),
                Ok(_) => LogError::Unavailable("the brokers do not agree on where the slot begins and ends".into()),
                Err(error) => error,
            },
        }
    }

    /// A cursor: the one that stands there, else a new one while there is room, else the one that was not used for longest.
    /// One that fetches at another pace than it should from there is replaced.
    async fn take(&self, at: Offset) -> Result<Taken, LogError> {
        let closed = || LogError::Unavailable("it is closed".into());
        let room = self.pool.room.clone().acquire_owned().await.map_err(|_| closed())?;
        if self.pool.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        let behind = self.ends.known(self.slot).0.saturating_sub(at.0);
        let fits = |cursor: &Cursor| cursor.pace == Pace::of(Some(cursor.pace), behind);
        let idle = {
            let mut idle = self.pool.idle.lock();
            let stands = |cursor: &Cursor| cursor.at() == Some(at);
            let there = idle.iter().position(|cursor| stands(cursor) && fits(cursor));
            let there = there.or_else(|| idle.iter().position(stands));
            // Those in use hold the other permits.
            let full = idle.len() + (CURSORS - self.pool.room.available_permits()) > CURSORS;
            there.or(full.then_some(0)).filter(|n| *n < idle.len()).map(|n| idle.remove(n))
        };
        let cursor = match idle {
            Some(cursor) if fits(&cursor) => cursor,
            other => {
                close(other);
                let pace = Pace::of(None, behind);
                Cursor::open(&self.options, &self.context, self.topic.clone(), self.slot, pace)?
            }
        };
        Ok(Taken { cursor: Some(cursor), pool: self.pool.clone(), _room: room })
    }
}

/// Closes cursors, elsewhere: a consumer waits for its threads.
fn close(cursors: impl IntoIterator<Item = Cursor>) {
    let cursors: Vec<Cursor> = cursors.into_iter().collect();
    if !cursors.is_empty() {
        tokio::task::spawn_blocking(move || drop(cursors));
    }
}

impl Taken {
    fn get(&mut self) -> Result<&mut Cursor, LogError> {
        self.cursor.as_mut().ok_or_else(|| LogError::Unavailable("it is closed".into()))
    }
}
