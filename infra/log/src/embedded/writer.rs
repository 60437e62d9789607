//! The one thread that writes: gathers what waits, writes it in one go, syncs once, then answers all.
use super::{
    ahead::{Ahead, become_segment},
    format::SegmentHeader,
    index::Segment,
    options::Options,
    queue::{Append, Command, Refusal, Shared, refuse},
    scan::ScanError,
    segment::{Active, SegmentName, create_segment},
};
use crate::{LogError, reached::Reached};
use schemas::ids::LogEpoch;
use std::{io, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// A group is written once it has this many bytes, even if more wait.
pub(super) const GROUP_BYTES: usize = 8 << 20;
/// A segment that nobody needs is closed, and with that deleted, from this size on; below, its age closes it.
const DEAD_BYTES: u64 = 1 << 20;

/// See the module's documentation; `group.rs` has the writing itself.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    queue: mpsc::Receiver<Command>,
    pub(super) active: Active,
    pub(super) epoch: LogEpoch,
    /// Per slot the offset of the next record; the shared state follows after the sync.
    pub(super) next: Vec<u64>,
    /// Marks moved since they were last written.
    pub(super) marks_moved: bool,
    /// A file was removed and the directory not yet synced.
    removal_pending: bool,
    pub(super) damage: Option<Refusal>,
    pub(super) buffer: Vec<u8>,
    pub(super) ahead: Ahead,
    lock: Option<super::open::Lock>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        queue: mpsc::Receiver<Command>,
        active: Active,
        lock: super::open::Lock,
    ) -> Self {
        let (epoch, next) = {
            let state = shared.state.lock();
            (state.epoch, state.ends())
        };
        Self {
            epoch,
            shared,
            queue,
            active,
            next,
            marks_moved: false,
            removal_pending: false,
            damage: None,
            buffer: Vec::new(),
            ahead: Ahead::default(),
            lock: Some(lock),
        }
    }

    /// Serves until the queue is closed and drained.
    pub(super) fn run(mut self) {
        while let Some(command) = self.queue.blocking_recv() {
            let mut appends = Vec::new();
            let mut answers: Vec<oneshot::Sender<Result<(), LogError>>> = Vec::new();
            let mut truncated = Vec::new();
            let (mut bytes, mut next) = (0, Some(command));
            while let Some(command) = next.take() {
                match command {
                    Command::Append(append) => {
                        bytes += append.total();
                        appends.push(append);
                    }
                    Command::Truncate { slot, below, done } => {
                        self.raise_mark(slot, below);
                        truncated.push(done);
                    }
                    Command::Maintain(done) => answers.push(done),
                    // What already waits is still served; who comes later is turned away.
                    Command::Close => self.queue.close(),
                }
                if bytes < GROUP_BYTES {
                    next = self.queue.try_recv().ok();
                }
            }
            let result = self.serve(appends, bytes);
            // Nobody listens if the caller went away.
            for done in truncated {
                let _ = done.send(());
            }
            for done in answers {
                let _ = done.send(result.clone().map_err(Into::into));
            }
        }
        self.seal();
    }

    /// Takes a mark over. It counts at once; that it is written lazily only means that a crash may bring some
    /// truncated records back. A mark beyond the end would make offsets that never existed look truncated.
    fn raise_mark(&mut self, slot: usize, below: u64) {
        let mut state = self.shared.state.lock();
        let below = below.min(self.next[slot]);
        if below > state.marks[slot] {
            state.marks[slot] = below;
            state.cache.truncate(slot, below);
            self.marks_moved = true;
        }
    }

    fn serve(&mut self, appends: Vec<Append>, bytes: usize) -> Result<(), Refusal> {
        // Space is freed before any is asked for, so that truncating helps on a full disk.
        self.reclaim();
        match self.make_ready(bytes as u64) {
            Ok(()) => self.write_group(appends),
            Err(refusal) => {
                if let Refusal::Unavailable(why) = &refusal {
                    tracing::warn!(why, appends = appends.len(), "the event log takes no records now");
                }
                refuse(appends, &refusal);
                Err(refusal)
            }
        }
    }

    /// Sees to it that there is a segment that can be written to.
    fn make_ready(&mut self, incoming: u64) -> Result<(), Refusal> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone());
        }
        match self.active.verify(self.epoch, &self.next) {
            Ok(()) => {}
            Err(ScanError::Io(error)) => return Err(error.into()),
            Err(ScanError::Damaged(what)) => {
                tracing::error!(what, sequence = self.active.sequence, "the event log lost acknowledged records");
                let damage = Refusal::Damaged(format!("{}: {what}", SegmentName(self.active.sequence)));
                self.damage = Some(damage.clone());
                return Err(damage);
            }
        }
        if self.must_roll(incoming) {
            self.roll()?;
            self.reclaim();
        }
        Ok(())
    }

    fn must_roll(&self, incoming: u64) -> bool {
        let options = &self.shared.options;
        let state = self.shared.state.lock();
        let active = &self.active;
        let full = active.len >= options.segment_bytes && active.len > SegmentHeader::len(options.slots);
        let old = active.since.is_some_and(|since| options.clock.now().since(since) >= options.segment_age);
        let tight = state.total_bytes() + incoming > options.max_total_bytes;
        let dead = (tight || active.len >= DEAD_BYTES.min(options.segment_bytes / 2)) && state.active_is_dead();
        // What is laid out is of use from now on, not only when this one is full.
        let better = self.ahead.is_ready() && !active.laid_out;
        active.closed || full || old || dead || better
    }

    /// Begins the next segment.
    fn roll(&mut self) -> Result<(), Refusal> {
        self.active.closed = true;
        let options = &self.shared.options;
        let marks = self.shared.state.lock().marks.clone();
        let header = SegmentHeader {
            epoch: self.epoch,
            sequence: self.active.sequence + 1,
            created: options.clock.now().0,
            previous_len: self.active.len,
            next: self.next.clone(),
            marks,
        };
        let ahead = self.ahead.take();
        let laid_out = ahead.is_some();
        let file = match ahead {
            Some(file) => become_segment(options, file, &header)?,
            None => create_segment(options, &header)?,
        };
        let (sequence, len) = (header.sequence, SegmentHeader::len(options.slots));
        self.shared.state.lock().segments.push_back(Segment::new(sequence, file.clone(), len, &self.next));
        self.active.trim();
        let fresh =
            Active { sequence, file, len, since: None, unsealed: false, closed: false, unverified: false, laid_out };
        self.active = fresh;
        self.marks_moved = false;
        Ok(())
    }

    /// Deletes segments that nobody needs, from the oldest on. Each removal is made durable before the next: else a
    /// crash could undo only the second, and a hole in the sequence would look like a lost file.
    fn reclaim(&mut self) {
        let Options { storage, directory, .. } = &self.shared.options;
        loop {
            if self.removal_pending {
                if let Err(error) = storage.sync_dir(directory) {
                    tracing::warn!(%error, "the event log cannot make a removal durable");
                    return;
                }
                self.removal_pending = false;
            }
            let Some(sequence) = self.shared.state.lock().removable() else { return };
            match storage.remove(&directory.join(SegmentName(sequence).to_string())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, sequence, "the event log cannot remove a segment");
                    return;
                }
                _ => {}
            }
            self.shared.state.lock().segments.pop_front();
            self.removal_pending = true;
        }
    }
}

impl Drop for Writer {
    /// Also when the thread panics: nobody may wait for what will not come. The lock goes first, so that who sees the
    /// log closed can open it again.
    fn drop(&mut self) {
        self.ahead.discard(&self.shared.options);
        drop(self.lock.take());
        self.shared.ends.iter().for_each(Reached::close);
    }
}
