//! A job's lease, kept for as long as the job runs: one that runs for long is not begun by another process as well, and
//! one whose process was killed is soon another's. That nothing is done twice is not its concern: a commit by an older
//! lease is refused.
use crate::{Shared, TransformError};
use std::{future::Future, time::Duration};
use tokio::time::sleep;
use warehouse::catalog::Lease;

/// How long a lease holds unless it is taken again: from one run of derive to the next, so that the process that ran last,
/// which has in memory where it stood, runs again.
const LEASE: Duration = Duration::from_secs(90);
/// How often it is taken again while its job runs.
const AGAIN: Duration = Duration::from_secs(15);

/// Takes a job's lease; `None` when another process has it.
pub(crate) async fn take(shared: &Shared, job: &str) -> Result<Option<Lease>, TransformError> {
    let now = shared.clock.now();
    Ok(shared.catalog.take_lease(job, &shared.holder, now, now + LEASE).await?)
}

/// Does a job's work and keeps its lease meanwhile.
pub(crate) async fn keeping<T>(shared: &Shared, lease: &Lease, work: impl Future<Output = T>) -> T {
    beside(work, keep(AGAIN, lease, || take(shared, &lease.job))).await
}

/// The work's result; the other ends with it.
async fn beside<T>(work: impl Future<Output = T>, keep: impl Future<Output = ()>) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = keep => {}
    }
    work.await
}

/// Takes the lease again and again, until it is another's.
async fn keep<F>(every: Duration, lease: &Lease, mut take: impl FnMut() -> F)
where
    F: Future<Output = Result<Option<Lease>, TransformError>>,
{
    loop {
        sleep(every).await;
        match take().await {
            Ok(Some(taken)) if taken == *lease => {}
            Ok(_) => {
                tracing::warn!(
                    job = lease.job,
                    "the lease was another process's meanwhile: what it commits is refused"
                );
                return;
            }
            Err(error) => tracing::warn!(job = lease.job, %error, "the lease could not be taken again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::sync::Notify;

    fn lease(number: u64) -> Lease {
        Lease { job: "derive/0".into(), number }
    }

    #[tokio::test]
    async fn a_lease_is_taken_again_until_the_work_is_done() {
        let (mine, taken, enough) = (lease(7), Cell::new(0), Notify::new());
        let kept = keep(Duration::ZERO, &mine, || {
            taken.set(taken.get() + 1);
            if taken.get() == 5 {
                enough.notify_one();
            }
            // One that could not be taken is tried again.
            let answer =
                if taken.get() == 2 { Err(TransformError::Unavailable("away".into())) } else { Ok(Some(lease(7))) };
            async move { answer }
        });
        let work = async {
            enough.notified().await;
            "done"
        };
        assert_eq!(beside(work, kept).await, "done");
    }

    #[tokio::test]
    async fn a_lease_that_was_lost_is_not_taken_again_and_does_not_end_the_work() {
        for lost in [None, Some(lease(8))] {
            let (mine, taken, ended) = (lease(7), Cell::new(0), Notify::new());
            let kept = async {
                let kept = keep(Duration::ZERO, &mine, || {
                    taken.set(taken.get() + 1);
                    let answer = if taken.get() < 3 { Some(lease(7)) } else { lost.clone() };
                    async move { Ok(answer) }
                });
                kept.await;
                ended.notify_one();
            };
            let work = async {
                ended.notified().await;
                taken.get()
            };
            assert_eq!(beside(work, kept).await, 3);
        }
    }
}
