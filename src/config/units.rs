//! Lengths of time and sizes as people write them: `5m`, `64MiB`.
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr, time::Duration};

/// A length of time, written as a whole number and one of `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span(pub Duration);

/// A number of bytes, written as a whole number and one of `B`, `KiB`, `MiB`, `GiB`; a bare number is bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size(pub u64);

/// What is wrong with a text that should have been a length of time or a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUnit {
    /// No length of time.
    #[error("a length of time is written like \"500ms\", \"5m\" or \"2h\"")]
    Span,
    /// No size.
    #[error("a size is written like \"512KiB\" or \"64MiB\"")]
    Size,
}

const SPANS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Splits `64MiB` into number and unit, and multiplies.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Writes with the largest unit that loses nothing.
fn show(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fitting = units.iter().find(|(_, factor)| value.is_multiple_of(*factor) && value >= *factor);
    match fitting.or(units.last()) {
        Some((name, factor)) => write!(f, "{}{name}", value / factor),
        None => Err(fmt::Error),
    }
}

impl FromStr for Span {
    type Err = InvalidUnit;
    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        parse(text, &SPANS).map(|ms| Self(Duration::from_millis(ms))).ok_or(InvalidUnit::Span)
    }
}

impl FromStr for Size {
    type Err = InvalidUnit;
    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        text.parse().ok().or_else(|| parse(text, &SIZES)).map(Self).ok_or(InvalidUnit::Size)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 { f.write_str("0s") } else { show(millis, &SPANS, f) }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.0, &SIZES, f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A bare number would leave the unit to guessing.
        let text = String::deserialize(deserializer).map_err(|_| de::Error::custom(InvalidUnit::Span))?;
        text.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer).map_err(|_| de::Error::custom(InvalidUnit::Size))? {
            Written::Number(bytes) => Ok(Self(bytes)),
            Written::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_and_sizes_round_trip() {
        for text in ["250ms", "2s", "5m", "36h", "30d", "0s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for text in ["1B", "512KiB", "64MiB", "8GiB", "0B"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("120s".parse::<Span>().unwrap().to_string(), "2m");
        assert_eq!("1048576".parse::<Size>().unwrap().to_string(), "1MiB");
    }

    #[test]
    fn what_has_no_unit_or_an_unknown_one_is_refused() {
        for bad in ["", "5", "5 minutes", "-1s", "1.5h", "m", "99999999999999999d"] {
            assert_eq!(bad.parse::<Span>(), Err(InvalidUnit::Span), "{bad}");
        }
        for bad in ["", "64MB", "-1", "MiB", "99999999999GiB"] {
            assert_eq!(bad.parse::<Size>(), Err(InvalidUnit::Size), "{bad}");
        }
    }
}
