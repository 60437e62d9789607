//! What a subscriber holds.
use super::{types::Change, view::Told};
use records::Position;
use std::sync::Arc;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// What a subscriber is told.
#[derive(Clone, Debug)]
pub enum Live {
    /// A change, and the position after it. A message and its conversation, changed by one event, have the same one.
    Change(Position, Box<Change>),
    /// Changes were missed: begin again from the lists. After this the subscription goes on, or ends.
    Reset,
}

/// Live changes of a workspace, from [`Engine::subscribe`](super::Engine::subscribe) on. It does not hold the workspace's
/// view: a view that is let go of must not pin files and log for somebody who does not read on.
pub struct Subscription {
    receiver: Receiver<Told>,
    start: Position,
    ended: bool,
}

impl Subscription {
    pub(super) fn new(receiver: Receiver<Told>, start: Position) -> Self {
        Self { receiver, start, ended: false }
    }

    /// Everything below this position is not told; everything from it on is, once.
    pub fn start(&self) -> Position {
        self.start
    }

    /// The next change; `None` when nothing more can come: subscribe anew.
    pub async fn next(&mut self) -> Option<Live> {
        if self.ended {
            return None;
        }
        match self.receiver.recv().await {
            Ok(told) => {
                let (position, change) = Arc::unwrap_or_clone(told);
                Some(Live::Change(position, Box::new(change)))
            }
            Err(RecvError::Lagged(_)) => Some(Live::Reset),
            Err(RecvError::Closed) => {
                self.ended = true;
                Some(Live::Reset)
            }
        }
    }
}
