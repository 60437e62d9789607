//! Learns within a second what other processes destroyed or rotated.
use super::Inner;
use crate::{
    db::{day_rows, master_rows},
    error::KeyError,
    sealer::{STALE, distance},
};
use std::{sync::atomic::Ordering, time::Duration};

/// Younger than this, the last look at the store is good enough. Until [`STALE`] it is good for those who come while
/// someone else looks.
const FRESH: Duration = Duration::from_millis(500);

impl Inner {
    fn age(&self) -> Duration {
        distance(self.clock.now().0, self.checked_at.load(Ordering::SeqCst))
    }

    /// Looks at the store's generation unless that was just done. Costs two atomic reads when it was.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when the store has not answered for a second: what is in memory may be destroyed by
    /// now, so it is not used (`security.md`, "fail closed").
    pub(super) async fn ensure_fresh(&self) -> Result<(), KeyError> {
        let age = self.age();
        if age <= FRESH {
            return Ok(());
        }
        let failures = self.failures.load(Ordering::SeqCst);
        let guard = if age <= STALE {
            match self.looking.try_lock() {
                Ok(guard) => guard,
                Err(_) => return Ok(()),
            }
        } else {
            self.looking.lock().await
        };
        if self.age() <= FRESH {
            return Ok(());
        }
        // A look at a server that is away takes seconds: who waited for one does not wait for another.
        if self.failures.load(Ordering::SeqCst) != failures && self.age() > STALE {
            return Err(KeyError::Unavailable("the key store has not answered".into()));
        }
        let looked = self.look().await;
        if looked.is_err() {
            self.failures.fetch_add(1, Ordering::SeqCst);
        }
        drop(guard);
        match looked {
            Err(_) if self.age() <= STALE => Ok(()),
            other => other,
        }
    }

    /// Reads the generation and applies what has changed.
    async fn look(&self) -> Result<(), KeyError> {
        let asked_at = self.clock.now();
        let seen = self.seen();
        let generation = self.store.generation().await?;
        if generation != seen {
            for ws in master_rows::rotated_since(&self.store, seen).await? {
                self.forget_rotated(ws);
            }
            for ws in master_rows::destroyed_since(&self.store, seen).await? {
                self.forget_workspace(ws);
            }
            let days = day_rows::destroyed_since(&self.store, seen).await?;
            if !days.is_empty() {
                self.forget_days(&days.into_iter().collect());
            }
            self.seen_generation.store(generation, Ordering::SeqCst);
        }
        self.checked_at.store(asked_at.0, Ordering::SeqCst);
        Ok(())
    }
}
