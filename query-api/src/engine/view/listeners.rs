//! Who listens to a view's changes. The channel takes memory for all that it may hold when it is made, so there is one
//! only while somebody listens.
use crate::engine::types::Change;
use records::Position;
use std::sync::Arc;
use tokio::sync::broadcast::{self, Receiver, Sender};

/// Changes that a subscriber may be behind before it is told to begin again.
const CHANGES: usize = 1024;

/// One change, the same for all who listen.
pub(crate) type Told = Arc<(Position, Change)>;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Listeners {
    sender: Option<Sender<Told>>,
    closed: bool,
}

impl Listeners {
    /// One more listener; `None` once closed.
    pub fn subscribe(&mut self) -> Option<Receiver<Told>> {
        if self.closed {
            return None;
        }
        match &self.sender {
            Some(sender) => Some(sender.subscribe()),
            None => {
                let (sender, receiver) = broadcast::channel(CHANGES);
                self.sender = Some(sender);
                Some(receiver)
            }
        }
    }

    /// True when somebody listens; the channel of those who have left goes.
    pub fn any(&mut self) -> bool {
        self.sender.take_if(|sender| sender.receiver_count() == 0);
        self.sender.is_some()
    }

    /// Tells everybody.
    pub fn publish(&self, change: (Position, Change)) {
        if let Some(sender) = &self.sender {
            // An error means that the last listener has just left.
            let _ = sender.send(Arc::new(change));
        }
    }

    /// Lets everybody know that changes were missed: their channel ends, and who subscribes from now on has a new one.
    pub fn renew(&mut self) {
        self.sender = None;
    }

    /// Ends all channels for good.
    pub fn close(&mut self) {
        self.closed = true;
        self.sender = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::broadcast::error::TryRecvError;

    #[test]
    fn a_channel_lives_as_long_as_somebody_listens() {
        let mut listeners = Listeners::default();
        assert!(!listeners.any());
        let first = listeners.subscribe();
        assert!(first.is_some() && listeners.any());
        drop(first);
        assert!(!listeners.any() && listeners.sender.is_none());
    }

    #[test]
    fn renewing_ends_the_old_channel_and_closing_all() {
        let mut listeners = Listeners::default();
        let mut old = listeners.subscribe().expect("open");
        listeners.renew();
        assert_eq!(old.try_recv().err(), Some(TryRecvError::Closed));
        let mut new = listeners.subscribe().expect("open");
        assert_eq!(new.try_recv().err(), Some(TryRecvError::Empty));
        listeners.close();
        assert_eq!(new.try_recv().err(), Some(TryRecvError::Closed));
        assert!(listeners.subscribe().is_none());
    }
}
