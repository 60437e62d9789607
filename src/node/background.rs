//! Threads for work that may take its time: a burst of it must not stand in front of an answer.
use crate::process::stand_back;
use std::io;
use tokio::runtime::{Builder, EnterGuard, Runtime};

/// Threads that run tasks; pure work is done on further ones, which stand back as well.
const THREADS: usize = 2;

/// A runtime of its own, whose threads get what the others leave.
pub struct Background(Option<Runtime>);

impl Background {
    /// Starts its threads.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime =
            builder.worker_threads(THREADS).thread_name("background").on_thread_start(stand_back).enable_all();
        runtime.build().map(|runtime| Self(Some(runtime)))
    }

    /// What is spawned while the guard lives runs here.
    pub fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Not waited for: this may be called where nothing may block.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_and_pure_work_stand_back_and_the_front_does_not() {
        let nice = || rustix::process::getpriority_process(None).expect("a niceness");
        let front = nice();
        let background = Background::start().expect("threads");
        let (task, work) = {
            let _inside = background.enter();
            (tokio::spawn(async move { nice() }), tokio::task::spawn_blocking(nice))
        };
        let most = (front + crate::process::STAND_BACK).min(19);
        assert_eq!((task.await.expect("ended"), work.await.expect("ended")), (most, most));
        assert_eq!(nice(), front);
    }
}
