//! Threads for work that may take its time: a burst of it must not stand in front of an answer.
use crate::process::{niceness, set_niceness};
use std::io;
use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that run tasks; pure work is done on further ones, which stand back as well. Two, so that one long piece of work
/// holds up nothing that others wait for.
const THREADS: usize = 2;

/// Which work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Records become files: whoever wants them durable, or asks for what is committed, waits for it.
    Land,
    /// Derive, compact, expire, scrub: nobody waits, and a run takes seconds of all that it is given.
    Jobs,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Land => "land",
            Self::Jobs => "jobs",
        }
    }

    /// How much nicer its threads are than those of the front. Against one thread of the front one that is nicer by 2 gets
    /// two fifths of a core, by 5 a quarter; and all of an idle one. Not more, as other programs of the same session or
    /// control group stand before it too.
    fn stands_back(self) -> i32 {
        match self {
            Self::Land => 2,
            Self::Jobs => 5,
        }
    }

    /// The most threads beside those that run tasks, if there is a limit: for pure work, files of a local store and look-ups
    /// of names. Processors are shared by threads, so that many which stand back have more than a few of the front. Jobs
    /// would start one for each of many small pieces, which no more than processors make quicker; two at least, so that a
    /// slow disk does not hold up all. Land would wait there for the brokers as well, with what the front waits for.
    fn most_beside(self) -> Option<usize> {
        match self {
            Self::Land => None,
            Self::Jobs => Some(std::thread::available_parallelism().map_or(1, usize::from).max(2)),
        }
    }
}

/// A runtime of its own, whose threads get what the others leave.
pub struct Background {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Background {
    /// Starts its threads; the calling one is of the front.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start(work: Work) -> io::Result<Self> {
        // Said to each thread anew: one that another of the background starts begins where that one stands.
        let niceness = niceness() + work.stands_back();
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name(work.name()).enable_all();
        if let Some(most) = work.most_beside() {
            builder.max_blocking_threads(most);
        }
        let runtime = builder.on_thread_start(move || set_niceness(niceness)).build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where to spawn what shall run here.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Not waited for: this may be called where nothing may block.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_and_their_pure_work_stand_back_and_the_front_does_not() {
        let front = niceness();
        for work in [Work::Land, Work::Jobs] {
            let background = Background::start(work).expect("threads");
            let task = background
                .handle()
                .spawn(async { (niceness(), tokio::task::spawn_blocking(niceness).await.expect("ended")) });
            let most = (front + work.stands_back()).min(19);
            assert_eq!(task.await.expect("ended"), (most, most), "{work:?}");
        }
        assert_eq!(niceness(), front);
    }

    #[tokio::test]
    async fn jobs_take_no_more_threads_for_pure_work_than_they_may() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        let background = Background::start(Work::Jobs).expect("threads");
        let most = Work::Jobs.most_beside().expect("a limit");
        let work = move || {
            let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
            // Long enough that all would be here if nothing held them back.
            std::thread::sleep(std::time::Duration::from_millis(5));
            RUNNING.fetch_sub(1, Ordering::SeqCst);
            running
        };
        let inside = background.handle().enter();
        let all: Vec<_> = (0..most * 8).map(|_| tokio::task::spawn_blocking(work)).collect();
        drop(inside);
        for one in all {
            let running = one.await.expect("ended");
            assert!(running <= most, "{running} at once, {most} may");
        }
    }
}
