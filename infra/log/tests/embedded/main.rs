//! The embedded log: the suite of all logs, and what only a log with files of its own can be asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod faults;
mod files;
mod kill;
mod model;
#[path = "../suite/mod.rs"]
mod suite;
mod support;

use async_trait::async_trait;
use event_log::{
    SharedLog,
    embedded::{EmbeddedLog, Options},
};
use suite::Fixture;

/// Logs in temporary directories.
struct Embedded {
    directory: tempfile::TempDir,
    change: fn(&mut Options),
    created: u32,
    slots: u32,
}

impl Embedded {
    fn new(change: fn(&mut Options)) -> Option<Self> {
        Some(Self { directory: tempfile::tempdir().unwrap(), change, created: 0, slots: 0 })
    }

    fn open(&self) -> SharedLog {
        let directory = self.directory.path().join(self.created.to_string());
        let mut options = support::options(&directory, self.slots, u64::from(self.created));
        (self.change)(&mut options);
        EmbeddedLog::open(options).unwrap()
    }
}

#[async_trait]
impl Fixture for Embedded {
    async fn create(&mut self, slots: u32) -> SharedLog {
        self.created += 1;
        self.slots = slots;
        self.open()
    }

    async fn reopen(&mut self, old: SharedLog) -> SharedLog {
        drop(old);
        self.open()
    }
}

mod as_configured {
    crate::event_log_suite!(crate::Embedded::new(|_| {}));
}

mod with_tiny_segments {
    crate::event_log_suite!(crate::Embedded::new(|options| options.segment_bytes = 2000));
}

mod with_segments_laid_out {
    crate::event_log_suite!(crate::Embedded::new(|options| (options.segment_bytes, options.lay_out) = (2000, true)));
}

mod without_memory {
    crate::event_log_suite!(crate::Embedded::new(|options| options.cache_bytes = 0));
}

mod with_a_tiny_queue {
    crate::event_log_suite!(crate::Embedded::new(|options| {
        options.queue_appends = 1;
        options.queue_bytes = 1;
        options.cache_bytes = 1500;
    }));
}
