//! Instants with millisecond precision, and how they are written.
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, ops, str::FromStr, time::Duration};

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Written `2026-11-22T08:15:30.123Z` in JSON, as a number in
/// binary forms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

/// What is wrong with a text that should have been an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is written like 2026-11-22T08:15:30.123Z")]
pub struct InvalidTime;

impl Millis {
    /// The last instant that can be written (9999-12-30T21:59:59.999Z); what lies beyond is clamped when shown.
    pub const MAX: Self = Self(253_402_207_199_999);
    /// 0000-01-01T00:00:00Z, the first one.
    pub const MIN: Self = Self(-62_167_219_200_000);

    /// The distance to an earlier instant; zero when `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same instant, moved into what [`fmt::Display`] can write.
    pub fn clamped(self) -> Self {
        self.clamp(Self::MIN, Self::MAX)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl ops::Add<Duration> for Millis {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl ops::Sub<Duration> for Millis {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clamped = self.clamped().0;
        match jiff::Timestamp::from_millisecond(clamped) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Millis {
    type Err = InvalidTime;
    /// Any RFC 3339 time with an offset; finer than a millisecond is cut off.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| InvalidTime)?;
        Ok(Self(instant.as_millisecond()))
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_with_three_decimals_and_read_back() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_335_330_123, "2026-11-22T08:15:30.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Millis(at).to_string(), text);
            assert_eq!(text.parse(), Ok(Millis(at)));
        }
        assert_eq!("2026-11-22T15:15:30.1239+07:00".parse(), Ok(Millis(1_795_335_330_123)));
        assert_eq!("yesterday".parse::<Millis>(), Err(InvalidTime));
        assert_eq!(Millis(i64::MAX).to_string(), "9999-12-30T21:59:59.999Z");
    }
}
