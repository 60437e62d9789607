//! What a subscriber holds.
use super::{types::Change, view::View};
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

/// Live changes of a workspace, from [`Engine::subscribe`](super::Engine::subscribe) on.
pub struct Subscription {
    receiver: Receiver<(Position, Change)>,
    start: Position,
    ended: bool,
    // Whose view is in use is kept loaded.
    _view: Arc<View>,
}

impl Subscription {
    pub(super) fn new(view: Arc<View>, receiver: Receiver<(Position, Change)>, start: Position) -> Self {
        Self { receiver, start, ended: false, _view: view }
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
            Ok((position, change)) => Some(Live::Change(position, Box::new(change))),
            Err(RecvError::Lagged(_)) => Some(Live::Reset),
            Err(RecvError::Closed) => {
                self.ended = true;
                Some(Live::Reset)
            }
        }
    }
}
