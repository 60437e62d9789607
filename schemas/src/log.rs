//! Places in the event log.
use serde::{Deserialize, Serialize};
use std::fmt;

/// Partition n of all topics together. A workspace belongs to one slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Slot(pub u32);

/// The place of one record in its slot, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Offset(pub u64);

impl Offset {
    /// The one after.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// As SQL and Arrow keep it. Offsets never come near 2^63.
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// From SQL or Arrow; a negative number, which nothing of ours writes, is 0.
    pub fn from_i64(value: i64) -> Self {
        Self(u64::try_from(value).unwrap_or(0))
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
