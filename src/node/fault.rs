//! Crash tests: the process kills or stops itself at a named place.
use super::StartError;
use crate::config::ConfigError;
use async_trait::async_trait;
use event_log::{
    LogError,
    assignment::{Assignment, Change},
};
use rustix::process::{Signal, getpid, kill_process};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use transform::faults::{Faults, NoFaults, POINTS, SharedFaults};

/// Dies, or is stopped as by SIGSTOP, the n-th time that it comes to a place.
struct SignalAt {
    point: String,
    left: AtomicU32,
    signal: Signal,
}

impl Faults for SignalAt {
    fn at(&self, point: &'static str) {
        if point == self.point && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            STOPPED.store(self.signal == Signal::STOP, Ordering::SeqCst);
            // As `kill -9` does: nothing is flushed, nothing is dropped.
            let _ = kill_process(getpid(), self.signal);
        }
    }
}

/// True once this process has stopped itself, until it has heard what it missed.
static STOPPED: AtomicBool = AtomicBool::new(false);
/// For how long it does not hear that.
const DEAF: Duration = Duration::from_secs(3);

/// A process that goes on after a stop hears within milliseconds that its slots are others' now, mostly before it commits.
/// This one hears it late, as if the group's thread had not got the processor: what it commits meanwhile is the
/// catalog's to refuse.
struct Late {
    assignment: Box<dyn Assignment>,
    /// Heard, and not said yet.
    held: Option<Result<Change, LogError>>,
}

#[async_trait]
impl Assignment for Late {
    async fn next(&mut self) -> Result<Change, LogError> {
        loop {
            if let Some(change) = self.held.take_if(|_| !STOPPED.load(Ordering::SeqCst)) {
                return change;
            }
            if self.held.is_some() {
                tokio::time::sleep(DEAF).await;
                STOPPED.store(false, Ordering::SeqCst);
            } else {
                self.held = Some(self.assignment.next().await);
            }
        }
    }

    async fn leave(self: Box<Self>) {
        self.assignment.leave().await;
    }
}

/// The assignment, for a process that is going to stop itself.
pub(super) fn late(setting: Option<&str>, assignment: Box<dyn Assignment>) -> Box<dyn Assignment> {
    match setting.is_some_and(|text| text.starts_with("stop:")) {
        true => Box::new(Late { assignment, held: None }),
        false => assignment,
    }
}

/// Splits `place#n` or `stop:place#n`; without a number it is the first time.
fn parse(text: &str) -> Option<(&str, u32, Signal)> {
    let (text, signal) = match text.strip_prefix("stop:") {
        Some(rest) => (rest, Signal::STOP),
        None => (text, Signal::KILL),
    };
    let (point, times) = match text.split_once('#') {
        Some((point, times)) => (point, times.parse().ok().filter(|times| *times > 0)?),
        None => (text, 1),
    };
    POINTS.contains(&point).then_some((point, times, signal))
}

/// The faults of a setting.
pub(super) fn faults(setting: Option<&str>) -> Result<SharedFaults, StartError> {
    let Some(text) = setting else { return Ok(Arc::new(NoFaults)) };
    let Some((point, times, signal)) = parse(text) else {
        return Err(ConfigError::new(format!(
            "testing.fault is one of {}; `#2` dies the second time, `stop:` in front stops instead",
            POINTS.join(", ")
        ))
        .into());
    };
    tracing::warn!(point, times, ?signal, "this process is going to kill or stop itself");
    Ok(Arc::new(SignalAt { point: point.to_owned(), left: AtomicU32::new(times), signal }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_a_name_and_perhaps_a_number() {
        assert_eq!(parse("land/before-commit"), Some(("land/before-commit", 1, Signal::KILL)));
        assert_eq!(parse("land/before-commit#3"), Some(("land/before-commit", 3, Signal::KILL)));
        assert_eq!(parse("stop:land/before-commit#2"), Some(("land/before-commit", 2, Signal::STOP)));
        for bad in ["", "land", "stop:", "kill:land/read", "land/before-commit#0", "land/before-commit#x", "#1"] {
            assert_eq!(parse(bad), None, "{bad}");
            assert!(faults(Some(bad)).is_err());
        }
    }
}
