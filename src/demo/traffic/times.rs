//! When things happen: before now, or now.
use schemas::time::Millis;

/// Conversations begin within this time before now.
const SPAN: i64 = 8 * 3_600_000;
/// Live conversations are so many times as fast as real ones: hours of them are seconds. At a real one's pace there would
/// be millions of messages that are still to be said.
const HURRY: i64 = 600;
/// Milliseconds that a stretch has at least.
const LEAST: i64 = 1000;

/// When the traffic happens.
#[derive(Clone, Copy, Debug)]
pub enum Times {
    /// In the hours up to this instant, in milliseconds: what platforms deliver late, and all at once.
    Before(i64),
    /// As it is sent: so many elements a second from this instant on.
    Live {
        /// In milliseconds.
        from: i64,
        /// Elements a second.
        rate: u32,
    },
}

/// The stretch of time that a wave fills, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Its first instant.
    pub from: i64,
    /// Nothing of the wave happens after it.
    pub to: i64,
    /// Conversations begin before it.
    pub last_beginning: i64,
    /// What pauses in a conversation are divided by.
    pub hurry: i64,
}

impl Times {
    /// In the hours before now.
    pub fn before(now: Millis) -> Self {
        Self::Before(now.0)
    }

    /// The stretch of the next `size` elements after `sent` of them.
    pub fn stretch(self, sent: usize, size: usize) -> Stretch {
        match self {
            Self::Before(now) => Stretch { from: now - SPAN, to: now, last_beginning: now - 60_000, hurry: 1 },
            Self::Live { from, rate } => {
                let at = |sent: usize| from + (sent as f64 * 1000.0 / f64::from(rate.max(1))) as i64;
                let (from, to) = (at(sent), at(sent + size));
                // A short one ends later than it is over, so that something can happen in it.
                Stretch { from, to: to.max(from + LEAST), last_beginning: to.max(from + 1), hurry: HURRY }
            }
        }
    }

    /// True when it happens as it is sent.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Live { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_stretches_follow_each_other() {
        let times = Times::Live { from: 1_000_000, rate: 5000 };
        let (first, second) = (times.stretch(0, 10_000), times.stretch(10_000, 10_000));
        assert_eq!((first.from, first.to, second.from, second.to), (1_000_000, 1_002_000, 1_002_000, 1_004_000));
        let tiny = Times::Live { from: 0, rate: 1_000_000 }.stretch(0, 1);
        assert_eq!((tiny.from, tiny.last_beginning, tiny.to), (0, 1, LEAST));
    }
}
