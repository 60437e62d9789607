//! What a part of the run took.
use std::time::Instant;

/// Since when, and how much this process had used by then.
pub struct Usage {
    begun: Instant,
    cpu: f64,
}

impl Usage {
    /// From now on; the most memory that was resident is forgotten, where the system lets us.
    pub fn begin() -> Self {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Self { begun: Instant::now(), cpu: cpu_seconds() }
    }

    pub fn print(self, what: &str, events: u64) {
        let (wall, cpu) = (self.begun.elapsed().as_secs_f64(), cpu_seconds() - self.cpu);
        let n = events as f64;
        println!(
            "{what}: {events} records, {:.0}/s, {:.0} per CPU second ({wall:.2} s, {cpu:.2} s CPU), {} MiB resident at most",
            n / wall,
            n / cpu,
            peak_mib(),
        );
    }
}

/// User and system time of all threads.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
    ticks / 100.0
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("the field");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number") / 1024
}
