//! What the process denies itself, before it touches anything.
use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask},
};
use std::{io, time::Duration};

/// Files that the process may have open, if the system lets it.
const OPEN_FILES: u64 = 65_536;

/// No core dumps and no debugger: keys are in memory. No file that others may read. Panics say where and not what, as
/// their text may hold content.
///
/// # Errors
/// When the system does not let it.
pub fn harden() -> io::Result<()> {
    umask(Mode::RWXG | Mode::RWXO);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let files = getrlimit(Resource::Nofile);
    let most = files.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if files.current.is_some_and(|current| current < most) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: files.maximum })?;
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "?".to_owned(), ToString::to_string);
        if tracing::dispatcher::has_been_set() {
            tracing::error!(place, "a panic");
        } else {
            eprintln!("chatmai: a panic at {place}");
        }
    }));
    Ok(())
}

/// The niceness of the calling thread: 0 where nothing was said, and where a thread has none of its own.
pub fn niceness() -> i32 {
    #[cfg(target_os = "linux")]
    if let Ok(niceness) = rustix::process::getpriority_process(None) {
        return niceness;
    }
    0
}

/// Gives the calling thread a niceness. A thread that it starts begins with the same.
pub fn set_niceness(niceness: i32) {
    // On Linux a thread has a niceness of its own; elsewhere it would be the whole process that stands back.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, niceness.min(19)) {
        tracing::debug!(%error, "a thread of the background has no lower priority");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

/// The most memory that the process ever had resident, in bytes; 0 where the system does not say.
pub fn peak_rss_bytes() -> u64 {
    memory("VmHWM:", &std::fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// The memory that the process has resident, in bytes; 0 where the system does not say.
pub fn rss_bytes() -> u64 {
    memory("VmRSS:", &std::fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// The processor time that the process has used, its threads together; zero where the system does not say.
pub fn processor_time() -> Duration {
    ticks(&std::fs::read_to_string("/proc/self/stat").unwrap_or_default())
}

fn memory(name: &str, status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")).and_then(|number| number.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// `utime` and `stime` of proc_pid_stat(5): the 12th and 13th field after the name, which is in parentheses and may hold
/// anything. Linux shows them in hundredths of a second.
fn ticks(stat: &str) -> Duration {
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_systems_words() {
        let status = "Name:\tx\nVmHWM:\t   1234 kB\nVmRSS: 1 kB\n";
        assert_eq!((memory("VmHWM:", status), memory("VmRSS:", status)), (1234 * 1024, 1024));
        assert_eq!(memory("VmHWM:", "nonsense"), 0);
        assert!(peak_rss_bytes() > 1 << 20 && rss_bytes() > 1 << 20);
    }

    #[test]
    fn the_processor_time_is_read_whatever_the_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 150 25 9 9 20 0 1 0";
        assert_eq!(ticks(stat), Duration::from_millis(1750));
        assert_eq!(ticks("nonsense"), Duration::ZERO);
    }
}
