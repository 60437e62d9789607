//! Up to where a slot has durable records, and who waits for more.
//!
//! Who waits is woken once, when what it waits for is there: land waits for a whole batch of records, and must not look at
//! each append.
use parking_lot::Mutex;
use schemas::log::Offset;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// No record will be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// See the module's documentation.
pub(crate) struct Reached(Mutex<State>);

struct State {
    /// Below it there are durable records.
    next: Offset,
    closed: bool,
    /// By the offset that each waits for, and a number that no other has.
    waiting: BTreeMap<(Offset, u64), oneshot::Sender<()>>,
    numbers: u64,
}

impl Reached {
    /// There are records below `next`.
    pub fn new(next: Offset) -> Self {
        Self(Mutex::new(State { next, closed: false, waiting: BTreeMap::new(), numbers: 0 }))
    }

    /// The offset after the last record that is known of.
    pub fn next(&self) -> Offset {
        self.0.lock().next
    }

    /// There are records below `next`; it may be known already.
    pub fn advance(&self, next: Offset) {
        let due = {
            let mut state = self.0.lock();
            if next <= state.next {
                return;
            }
            state.next = next;
            if state.waiting.first_key_value().is_none_or(|((at, _), _)| *at >= next) {
                return;
            }
            let later = state.waiting.split_off(&(next, 0));
            std::mem::replace(&mut state.waiting, later)
        };
        wake(due);
    }

    /// Whoever waits in vain is told so, now and later.
    pub fn close(&self) {
        let all = {
            let mut state = self.0.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        wake(all);
    }

    /// Completes once there is a record at or after `at`.
    pub async fn passed(&self, at: Offset) -> Result<(), Closed> {
        let mut waiter = {
            let mut state = self.0.lock();
            if state.next > at || state.closed {
                return state.answer(at);
            }
            let key = (at, state.numbers);
            state.numbers += 1;
            let (woken, wait) = oneshot::channel();
            state.waiting.insert(key, woken);
            Waiter { of: self, key, wait }
        };
        // Who wakes says nothing: the state does.
        let _ = (&mut waiter.wait).await;
        self.0.lock().answer(at)
    }

    /// Completes once it is closed.
    pub async fn closed(&self) {
        // No record has this offset.
        let _ = self.passed(Offset(u64::MAX)).await;
    }
}

impl State {
    fn answer(&self, at: Offset) -> Result<(), Closed> {
        if self.next > at { Ok(()) } else { Err(Closed) }
    }
}

fn wake(due: BTreeMap<(Offset, u64), oneshot::Sender<()>>) {
    for woken in due.into_values() {
        // It may have given up just now.
        let _ = woken.send(());
    }
}

/// One who waits; gone from the list when it gives up.
struct Waiter<'a> {
    of: &'a Reached,
    key: (Offset, u64),
    wait: oneshot::Receiver<()>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        // Else what is removed would wake it.
        self.wait.close();
        self.of.0.lock().waiting.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, task::ArcWake};
    use std::{
        pin::{Pin, pin},
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        task::{Context, Poll},
    };

    #[derive(Default)]
    struct Wakes(AtomicU32);

    impl ArcWake for Wakes {
        fn wake_by_ref(this: &Arc<Self>) {
            this.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_waits_is_woken_once_and_when_its_record_is_there() {
        let (reached, wakes) = (Reached::new(Offset(5)), Arc::new(Wakes::default()));
        let waker = futures::task::waker(wakes.clone());
        let mut context = Context::from_waker(&waker);
        let mut wait = pin!(reached.passed(Offset(9)));
        assert_eq!(wait.as_mut().poll(&mut context), Poll::Pending);
        for next in [6, 7, 7, 3, 9] {
            reached.advance(Offset(next));
        }
        assert_eq!((wakes.0.load(Ordering::SeqCst), reached.next()), (0, Offset(9)));
        reached.advance(Offset(10));
        reached.advance(Offset(11));
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        assert_eq!(wait.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    }

    #[test]
    fn who_gives_up_is_not_woken() {
        let (reached, wakes) = (Reached::new(Offset(5)), Arc::new(Wakes::default()));
        let mut wait = Box::pin(reached.passed(Offset(9)));
        let waker = futures::task::waker(wakes.clone());
        assert_eq!(wait.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
        drop(wait);
        reached.advance(Offset(10));
        assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn each_waits_for_its_own_and_who_gave_up_is_forgotten() {
        let reached = Reached::new(Offset(0));
        assert_eq!(reached.passed(Offset(0)).now_or_never(), None, "nobody is left waiting by that");
        assert!(reached.0.lock().waiting.is_empty());
        let mut waits: Vec<_> = [4, 2, 2, 7].map(|at| Box::pin(reached.passed(Offset(at)))).into();
        assert!(waits.iter_mut().all(|wait| !is_done(wait.as_mut())));
        reached.advance(Offset(3));
        assert_eq!(reached.0.lock().waiting.len(), 2);
        drop(waits.remove(0));
        assert_eq!(reached.0.lock().waiting.len(), 1);
        let done: Vec<bool> = waits.iter_mut().map(|wait| is_done(wait.as_mut())).collect();
        assert_eq!(done, [true, true, false]);
    }

    fn is_done(wait: Pin<&mut impl Future<Output = Result<(), Closed>>>) -> bool {
        wait.poll(&mut Context::from_waker(futures::task::noop_waker_ref())) == Poll::Ready(Ok(()))
    }

    #[test]
    fn closing_tells_those_who_wait_in_vain_and_no_others() {
        let reached = Reached::new(Offset(2));
        let context = &mut Context::from_waker(futures::task::noop_waker_ref());
        let (mut wait, mut end) = (pin!(reached.passed(Offset(2))), pin!(reached.closed()));
        assert!(wait.as_mut().poll(context).is_pending() && end.as_mut().poll(context).is_pending());
        reached.close();
        assert_eq!(wait.as_mut().poll(context), Poll::Ready(Err(Closed)));
        assert!(end.as_mut().poll(context).is_ready());
        assert_eq!(reached.passed(Offset(1)).now_or_never(), Some(Ok(())));
        assert_eq!(reached.passed(Offset(2)).now_or_never(), Some(Err(Closed)));
    }
}
