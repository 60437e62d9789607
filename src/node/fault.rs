//! Crash tests: the process kills itself at a named place.
use super::StartError;
use crate::config::ConfigError;
use rustix::process::{Signal, getpid, kill_process};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use transform::faults::{Faults, NoFaults, POINTS, SharedFaults};

/// Dies the n-th time that it comes to a place.
struct DieAt {
    point: String,
    left: AtomicU32,
}

impl Faults for DieAt {
    fn at(&self, point: &'static str) {
        if point == self.point && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // As `kill -9` does: nothing is flushed, nothing is dropped.
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}

/// Splits `place#n`; without a number it is the first time.
fn parse(text: &str) -> Option<(&str, u32)> {
    let (point, times) = match text.split_once('#') {
        Some((point, times)) => (point, times.parse().ok().filter(|times| *times > 0)?),
        None => (text, 1),
    };
    POINTS.contains(&point).then_some((point, times))
}

/// The faults of a setting.
pub(super) fn faults(setting: Option<&str>) -> Result<SharedFaults, StartError> {
    let Some(text) = setting else { return Ok(Arc::new(NoFaults)) };
    let Some((point, times)) = parse(text) else {
        return Err(ConfigError::new(format!(
            "testing.fault is one of {}; `#2` dies the second time",
            POINTS.join(", ")
        ))
        .into());
    };
    tracing::warn!(point, times, "this process is going to kill itself");
    Ok(Arc::new(DieAt { point: point.to_owned(), left: AtomicU32::new(times) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_a_name_and_perhaps_a_number() {
        assert_eq!(parse("land/before-commit"), Some(("land/before-commit", 1)));
        assert_eq!(parse("land/before-commit#3"), Some(("land/before-commit", 3)));
        for bad in ["", "land", "land/before-commit#0", "land/before-commit#x", "#1"] {
            assert_eq!(parse(bad), None, "{bad}");
            assert!(faults(Some(bad)).is_err());
        }
    }
}
