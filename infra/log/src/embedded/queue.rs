//! What goes between callers and the writer.
use super::{format::FRAME_HEADER, index::State, options::Options};
use crate::{LogError, reached::Reached};
use bytes::Bytes;
use parking_lot::Mutex;
use schemas::log::Offset;
use std::io;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// What readers and writer share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) state: Mutex<State>,
    pub(super) ends: Vec<Reached>,
}

/// One append call.
pub(super) struct Append {
    pub(super) slot: u32,
    pub(super) count: u32,
    pub(super) payload: Bytes,
    pub(super) crc: u32,
    pub(super) done: oneshot::Sender<Result<Offset, LogError>>,
    /// Its share of the queue's bytes, free again once it is answered.
    pub(super) _room: OwnedSemaphorePermit,
}

impl Append {
    pub(super) fn total(&self) -> usize {
        FRAME_HEADER + self.payload.len()
    }
}

/// What the writer is asked to do.
pub(super) enum Command {
    Append(Append),
    Truncate { slot: usize, below: u64, done: oneshot::Sender<()> },
    Maintain(oneshot::Sender<Result<(), LogError>>),
    Close,
}

/// Why nothing can be written now.
#[derive(Clone)]
pub(super) enum Refusal {
    Unavailable(String),
    Damaged(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<Refusal> for LogError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unavailable(why) => Self::Unavailable(why),
            Refusal::Damaged(what) => Self::Damaged(what),
        }
    }
}

/// Answers all with the same refusal.
pub(super) fn refuse(appends: Vec<Append>, refusal: &Refusal) {
    for append in appends {
        // Nobody listens if the caller went away.
        let _ = append.done.send(Err(refusal.clone().into()));
    }
}
