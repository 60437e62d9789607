//! The next segment's file, laid out in zeros by a thread of its own while the one before it fills.
//!
//! A sync of a file that grows waits for the file system's own journal, and with it for whatever other files were just
//! written. One whose blocks are there already, written and not only reserved, waits for its own bytes alone.
use super::{
    format::SegmentHeader,
    options::Options,
    segment::{Active, SegmentName},
    storage::{LogFile, write_all},
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Name of the file until it becomes a segment.
pub(super) const AHEAD: &str = "segment.next";
/// Zeros of one write and sync: other syncs wait for no more than this.
const STEP: usize = 1 << 20;
/// A segment that has come so far is worth a successor. A log that hardly grows lays nothing out.
const WORTH: u64 = 1 << 20;

/// A file that is laid out; none when it was told to stop.
type LaidOut = io::Result<Option<Arc<dyn LogFile>>>;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Ahead {
    /// The segment for whose successor it was last tried: once each.
    tried: Option<u64>,
    work: Option<JoinHandle<LaidOut>>,
    flags: Arc<Flags>,
}

#[derive(Default)]
struct Flags {
    /// The file lies there, whole.
    laid: AtomicBool,
    /// It is not needed.
    stop: AtomicBool,
}

impl Ahead {
    /// Begins, if the segment that is written to is worth a successor and none was begun for it.
    pub(super) fn begin(&mut self, options: &Options, active: &Active) {
        // One that is laid out itself needs its successor later.
        let worth = if active.laid_out { options.segment_bytes / 2 } else { WORTH.min(options.segment_bytes / 4) };
        if !options.lay_out || active.len < worth || self.is_ready() || self.tried == Some(active.sequence) {
            return;
        }
        if self.work.as_ref().is_some_and(|work| !work.is_finished()) {
            return;
        }
        self.tried = Some(active.sequence);
        let (options, flags) = (options.clone(), self.flags.clone());
        let work = thread::Builder::new().name("event-log-ahead".into());
        self.work = work.spawn(move || lay_out(&options, &flags)).ok();
    }

    /// True once the file lies there.
    pub(super) fn is_ready(&self) -> bool {
        self.flags.laid.load(Ordering::Acquire)
    }

    /// The file, if it is ready.
    pub(super) fn take(&mut self) -> Option<Arc<dyn LogFile>> {
        let work = self.work.take_if(|_| self.flags.laid.swap(false, Ordering::AcqRel))?;
        work.join().ok()?.ok()?
    }

    /// Ends the work and removes the file: its space is needed, or the log ends.
    pub(super) fn discard(&mut self, options: &Options) {
        let Some(work) = self.work.take() else { return };
        self.flags.stop.store(true, Ordering::Release);
        // Whatever became of it, nothing but the file is left.
        let _ = work.join();
        self.flags.stop.store(false, Ordering::Release);
        self.flags.laid.store(false, Ordering::Release);
        remove(options);
    }
}

fn remove(options: &Options) {
    // One that stays is replaced by the next.
    let _ = options.storage.remove(&options.directory.join(AHEAD));
}

/// `None` when it was told to stop.
fn lay_out(options: &Options, flags: &Flags) -> io::Result<Option<Arc<dyn LogFile>>> {
    let laid = write_zeros(options, &flags.stop);
    match &laid {
        Ok(Some(_)) => flags.laid.store(true, Ordering::Release),
        Ok(None) => {}
        Err(error) => {
            tracing::debug!(%error, "the event log's next segment is not laid out");
            remove(options);
        }
    }
    laid
}

fn write_zeros(options: &Options, stop: &AtomicBool) -> io::Result<Option<Arc<dyn LogFile>>> {
    let path = options.directory.join(AHEAD);
    match options.storage.remove(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = options.storage.create(&path)?;
    let zeros = vec![0; STEP];
    let mut position = 0;
    while position < options.segment_bytes {
        if stop.load(Ordering::Acquire) {
            return Ok(None);
        }
        let step = STEP.min(usize::try_from(options.segment_bytes - position).unwrap_or(STEP));
        write_all(&*file, &zeros[..step], position)?;
        file.sync()?;
        position += step as u64;
    }
    Ok(Some(file))
}

/// Makes the file the segment of this head, durably and whole or not at all.
pub(super) fn become_segment(
    options: &Options,
    file: Arc<dyn LogFile>,
    header: &SegmentHeader,
) -> io::Result<Arc<dyn LogFile>> {
    write_all(&*file, &header.encode(), 0)?;
    file.sync()?;
    let name = SegmentName(header.sequence).to_string();
    options.storage.rename(&options.directory.join(AHEAD), &options.directory.join(name))?;
    options.storage.sync_dir(&options.directory)?;
    Ok(file)
}
