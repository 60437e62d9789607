//! Partition days and retention classes: what decides which data file a row lies in, and when it goes.
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// Milliseconds of a UTC day.
pub const DAY: Duration = Duration::from_secs(86_400);
const DAY_MILLIS: i64 = 86_400_000;
/// How long a reader that pinned a file may still read it after it was replaced or expired (`security.md` §5).
pub const READER_GRACE: Duration = Duration::from_secs(15 * 60);

/// A UTC day: days since 1970-01-01. Written `2026-11-22`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionDay(pub i32);

/// What is wrong with a text that should have been a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a day is written like 2026-11-22")]
pub struct InvalidDay;

impl PartitionDay {
    /// The partition day of an event: the UTC day of the earlier of event time and receive time.
    pub fn of(event_at: Millis, received_at: Millis) -> Self {
        Self::containing(event_at.min(received_at))
    }

    /// The UTC day that contains an instant.
    pub fn containing(at: Millis) -> Self {
        Self(i32::try_from(at.clamped().0.div_euclid(DAY_MILLIS)).unwrap_or(i32::MAX))
    }

    /// Its first instant.
    pub fn start(self) -> Millis {
        Millis(i64::from(self.0) * DAY_MILLIS)
    }

    /// The first instant after it.
    pub fn end(self) -> Millis {
        Millis((i64::from(self.0) + 1) * DAY_MILLIS)
    }
}

impl fmt::Display for PartitionDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.start().to_string()[..10])
    }
}

impl fmt::Debug for PartitionDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PartitionDay {
    type Err = InvalidDay;
    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let at: Millis = format!("{text}T00:00:00Z").parse().map_err(|_| InvalidDay)?;
        let day = Self::containing(at);
        if day.to_string() == text { Ok(day) } else { Err(InvalidDay) }
    }
}

/// How long the platform's rules and ours let rows live, in days. Written `r356`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RetentionClass(pub u16);

impl RetentionClass {
    /// The default: 356 + 1 (the day's own length) + 7 (key backups) stays under 365 (`security.md` §5).
    pub const STANDARD: Self = Self(356);
    /// Dead letters.
    pub const DEAD_LETTERS: Self = Self(30);

    /// How long a row of this class lives in a workspace whose own setting is `workspace_days`.
    pub fn retention(self, workspace_days: u16) -> Duration {
        DAY * u32::from(self.0.min(workspace_days))
    }
}

impl fmt::Display for RetentionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl fmt::Debug for RetentionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RetentionClass {
    type Err = InvalidDay;
    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let days = text.strip_prefix('r').ok_or(InvalidDay)?;
        match days.parse() {
            Ok(n) if format!("{n}") == days => Ok(Self(n)),
            _ => Err(InvalidDay),
        }
    }
}

/// The tables that data files hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Messages, amendments, receipts, member activity.
    Events,
    /// What was signed but could not be read.
    DeadLetters,
    /// Derived: the newest state of each conversation.
    Conversations,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 3] = [Self::Events, Self::DeadLetters, Self::Conversations];

    /// Its name in paths, SQL and the catalog.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::DeadLetters => "dead_letters",
            Self::Conversations => "conversations",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Table {
    type Err = InvalidDay;
    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        Self::ALL.into_iter().find(|t| t.name() == text).ok_or(InvalidDay)
    }
}

/// The instant from which on a row of event time before it is in no answer: `now` minus the retention.
pub fn cut(now: Millis, class: RetentionClass, workspace_days: u16) -> Millis {
    now - class.retention(workspace_days)
}

/// True when a whole day, with the reader grace, is past its retention, so that its key and files go.
pub fn day_is_expired(day: PartitionDay, now: Millis, class: RetentionClass, workspace_days: u16) -> bool {
    day.end() + class.retention(workspace_days) + READER_GRACE <= now
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn days_round_trip_and_contain_their_instants(at in 0i64..253_402_207_199_999) {
            let day = PartitionDay::containing(Millis(at));
            prop_assert!(day.start() <= Millis(at) && Millis(at) < day.end());
            prop_assert_eq!(day.to_string().parse::<PartitionDay>(), Ok(day));
        }

        #[test]
        fn an_expired_day_holds_nothing_that_an_answer_may_still_show(day in 0i32..40_000, now in 0i64..5_000_000_000_000, days in 1u16..400) {
            let (day, now) = (PartitionDay(day), Millis(now));
            if day_is_expired(day, now, RetentionClass::STANDARD, days) {
                prop_assert!(day.end() <= cut(now, RetentionClass::STANDARD, days));
            }
        }
    }

    #[test]
    fn a_day_goes_fifteen_minutes_after_its_end_plus_retention() {
        let day: PartitionDay = "2026-01-31".parse().expect("a day");
        let gone = Millis(day.end().0 + 356 * 86_400_000 + 900_000);
        assert!(day_is_expired(day, gone, RetentionClass::STANDARD, 356));
        assert!(!day_is_expired(day, Millis(gone.0 - 1), RetentionClass::STANDARD, 356));
        assert!(day_is_expired(day, Millis(day.end().0 + 30 * 86_400_000 + 900_000), RetentionClass::STANDARD, 30));
        assert_eq!("2026-1-31".parse::<PartitionDay>(), Err(InvalidDay));
        assert_eq!("r090".parse::<RetentionClass>(), Err(InvalidDay));
    }
}
