//! Who listens to a view's changes. Each listener has a queue of its own, bounded in number and in bytes: who reads too
//! slowly loses the queue and is told so, and neither memory nor the other listeners pay for it.
use crate::engine::{types::Change, weight};
use parking_lot::Mutex;
use records::Position;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::Notify;

/// Changes that a listener may be behind before it is told to begin again.
const CHANGES: usize = 1024;
/// Bytes that they may have together; one change always fits. Listeners share the changes themselves, so that those who
/// are behind by the same take it once.
const BYTES: usize = weight::TOGETHER;

/// One change, the same for all who listen.
pub(crate) type Told = Arc<(Position, Change)>;

/// What a listener hears.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A change.
    Told(Told),
    /// Changes were missed.
    Missed,
    /// Nothing more will come from here.
    Ended,
}

#[derive(Default)]
struct Queue {
    told: VecDeque<(usize, Told)>,
    bytes: usize,
    missed: bool,
    ended: bool,
}

#[derive(Default)]
struct Ear {
    queue: Mutex<Queue>,
    wake: Notify,
}

/// One listener's side. Dropping it ends its queue.
pub(crate) struct Listener(Arc<Ear>);

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Listeners {
    ears: Vec<Arc<Ear>>,
    closed: bool,
}

impl Listener {
    /// The next that is heard. A caller that stops waiting misses nothing.
    pub async fn next(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.0.queue.lock().take() {
                return heard;
            }
            // Woken before this line, it returns at once.
            self.0.wake.notified().await;
        }
    }
}

impl Queue {
    fn take(&mut self) -> Option<Heard> {
        if std::mem::take(&mut self.missed) {
            return Some(Heard::Missed);
        }
        match self.told.pop_front() {
            Some((bytes, told)) => {
                self.bytes -= bytes;
                Some(Heard::Told(told))
            }
            None => self.ended.then_some(Heard::Ended),
        }
    }

    fn put(&mut self, bytes: usize, told: &Told) {
        let fits = self.told.is_empty() || (self.told.len() < CHANGES && self.bytes + bytes <= BYTES);
        if !fits {
            // What is left of it would be of no use: there is a gap now. The next change is after the gap.
            *self = Self { missed: true, ..Self::default() };
        }
        self.told.push_back((bytes, told.clone()));
        self.bytes += bytes;
    }
}

impl Listeners {
    /// One more listener; `None` once closed.
    pub fn subscribe(&mut self) -> Option<Listener> {
        if self.closed {
            return None;
        }
        let ear = Arc::new(Ear::default());
        self.ears.push(ear.clone());
        Some(Listener(ear))
    }

    /// True when somebody listens; the queues of those who have left go.
    pub fn any(&mut self) -> bool {
        self.ears.retain(|ear| Arc::strong_count(ear) > 1);
        !self.ears.is_empty()
    }

    /// Tells everybody.
    pub fn publish(&self, change: (Position, Change)) {
        let bytes = weight::of_change(&change.1);
        let told = Arc::new(change);
        for ear in &self.ears {
            ear.queue.lock().put(bytes, &told);
            ear.wake.notify_one();
        }
    }

    /// Lets everybody know that changes were missed: their queues end, and who subscribes from now on has a new one.
    pub fn renew(&mut self) {
        for ear in self.ears.drain(..) {
            ear.queue.lock().ended = true;
            ear.wake.notify_one();
        }
    }

    /// Ends all queues for good.
    pub fn close(&mut self) {
        self.closed = true;
        self.renew();
    }
}

impl Drop for Listeners {
    /// A view that is let go of leaves nobody waiting.
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
#[path = "listeners_tests.rs"]
mod tests;
