//! Which slots a process works on, where several share them. Whoever works on a slot is also fenced by its generation in
//! the catalog: an assignment keeps processes from disturbing each other, the generation keeps them exact.
use crate::LogError;
use async_trait::async_trait;
use schemas::log::Slot;
use tokio::sync::oneshot;

/// What changes in the slots that a process has.
#[derive(Debug)]
pub enum Change {
    /// These are this process's now.
    Assigned(Vec<Slot>),
    /// These are no longer. Stop what is in flight, then let go of the release: until then, and for as long as the
    /// assignment's patience lasts, nobody else gets them.
    Revoked(Vec<Slot>, Release),
}

/// Says by being dropped that nothing works on revoked slots any more.
#[derive(Debug)]
pub struct Release(#[allow(dead_code, reason = "its drop is what counts")] Option<oneshot::Sender<()>>);

impl Release {
    /// A release, and what completes when it is let go of.
    pub fn new() -> (Self, oneshot::Receiver<()>) {
        let (release, released) = oneshot::channel();
        (Self(Some(release)), released)
    }
}

/// Tells what changes. Dropping it gives everything back as well, at some time.
#[async_trait]
pub trait Assignment: Send {
    /// The next change. If the future is dropped, no change is lost.
    ///
    /// # Errors
    /// [`LogError`] when there will be no more changes.
    async fn next(&mut self) -> Result<Change, LogError>;

    /// Gives everything back and completes when the others know, so that they need not find out by waiting.
    async fn leave(self: Box<Self>) {}
}

/// All slots, for ever: for a log that one process has for itself.
pub struct AllSlots(Option<u32>);

impl AllSlots {
    /// Of a log of so many.
    pub fn new(slots: u32) -> Self {
        Self(Some(slots))
    }
}

#[async_trait]
impl Assignment for AllSlots {
    async fn next(&mut self) -> Result<Change, LogError> {
        match self.0.take() {
            Some(slots) => Ok(Change::Assigned((0..slots).map(Slot).collect())),
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn who_is_alone_has_all_slots_for_ever() {
        let mut all = AllSlots::new(3);
        match all.next().await {
            Ok(Change::Assigned(slots)) => assert_eq!(slots, [Slot(0), Slot(1), Slot(2)]),
            other => panic!("{other:?}"),
        }
        assert!(all.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_release_is_given_by_letting_go() {
        let (release, mut released) = Release::new();
        assert!((&mut released).now_or_never().is_none());
        drop(release);
        assert!(released.now_or_never().is_some());
    }
}
