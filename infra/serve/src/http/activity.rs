//! Which connections have nothing to do.
use crate::Limits;
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, Default)]
struct State {
    running: usize,
    /// A request has been read on this connection.
    used: bool,
}

/// The running requests of one connection. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(watch::Sender<State>);

/// A request that runs, until its answer has been sent or dropped.
#[derive(Debug)]
pub(super) struct Running(Activity);

impl Activity {
    pub(super) fn begin(&self) -> Running {
        self.0.send_modify(|state| *state = State { running: state.running + 1, used: true });
        Running(self.clone())
    }

    /// Whether a request was ever read.
    pub(super) fn used(&self) -> bool {
        self.0.borrow().used
    }

    /// Ends when no request has run for the time granted: the headers' for the first request, the idle time later.
    pub(super) async fn idle(&self, limits: &Limits) {
        let mut changes = self.0.subscribe();
        loop {
            let state = *changes.borrow_and_update();
            let changed = async {
                // The sender is in `self`: it cannot be gone.
                let _ = changes.changed().await;
            };
            if state.running > 0 {
                changed.await;
                continue;
            }
            let patience = if state.used { limits.idle_timeout } else { limits.header_timeout };
            if tokio::time::timeout(patience, changed).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.running = state.running.saturating_sub(1));
    }
}
