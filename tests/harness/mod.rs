//! What the end-to-end tests share: the real binary as a child process, clients that know only the contract, payloads
//! as the platforms sign them, and the comparison of what was acknowledged with what can be read.
pub mod api;
pub mod bytes;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod compare;
pub mod facebook;
pub mod kafka;
pub mod ledger;
pub mod line;
pub mod metrics;
pub mod node;
pub mod postgres;
pub mod random;
pub mod raw;
pub mod remains;
pub mod s3;
pub mod s3_proxy;
pub mod sign;
pub mod stream;
pub mod tcp_proxy;
pub mod world;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a test waits for what has to come. Generous, as the machine may be busy; it is never what makes a test pass.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// For what waits for the time limits of services: sessions, locks, copies between brokers.
pub const LONG_PATIENCE: Duration = Duration::from_secs(240);

/// Looks until there is something to see; fails with `what` when it does not come.
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, look)
}

/// The same, with a patience of its own.
pub fn wait_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < patience, "waited {} s in vain for: {what}", patience.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Looks until it is true.
pub fn wait_until(what: &str, mut look: impl FnMut() -> bool) {
    wait_for(what, || look().then_some(()));
}

/// Now, in milliseconds.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Milliseconds of an RFC 3339 time in an answer.
pub fn millis(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap_or_else(|_| panic!("no time: {time}")).as_millisecond()
}

/// An RFC 3339 time as the contract writes it.
pub fn rfc3339(millis: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).unwrap();
    format!("{time:.3}")
}

/// One day in milliseconds.
pub const DAY: i64 = 86_400_000;
