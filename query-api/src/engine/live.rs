//! What a subscriber holds.
use super::{
    types::Change,
    view::{Heard, Listener},
};
use records::Position;
use std::sync::Arc;

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
    listener: Listener,
    start: Position,
    ended: bool,
}

impl Subscription {
    pub(super) fn new(listener: Listener, start: Position) -> Self {
        Self { listener, start, ended: false }
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
        match self.listener.next().await {
            Heard::Told(told) => {
                let (position, change) = Arc::unwrap_or_clone(told);
                Some(Live::Change(position, Box::new(change)))
            }
            Heard::Missed => Some(Live::Reset),
            Heard::Ended => {
                self.ended = true;
                Some(Live::Reset)
            }
        }
    }
}
