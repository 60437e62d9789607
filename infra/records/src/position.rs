//! Positions: how fresh an answer is, and how fresh a caller asks it to be. Opaque to callers.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use schemas::{
    ids::LogEpoch,
    log::{Offset, Slot},
};
use std::{fmt, str::FromStr};

/// A place in the event log: everything of the slot below `next`. Written as 38 base64url characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Position {
    /// Of which log.
    pub epoch: LogEpoch,
    /// Of which slot.
    pub slot: Slot,
    /// The first offset that is not covered.
    pub next: Offset,
}

/// A text that is no position (400). One of another log parses; whether it is known is the caller's question (410).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position")]
pub struct InvalidPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 28];
        bytes[..16].copy_from_slice(&self.epoch.0);
        bytes[16..20].copy_from_slice(&self.slot.0.to_be_bytes());
        bytes[20..].copy_from_slice(&self.next.0.to_be_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;
    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidPosition)?;
        let bytes: [u8; 28] = bytes.try_into().map_err(|_| InvalidPosition)?;
        let (epoch, rest) = bytes.split_at(16);
        let (slot, next) = rest.split_at(4);
        Ok(Self {
            epoch: LogEpoch(epoch.try_into().map_err(|_| InvalidPosition)?),
            slot: Slot(u32::from_be_bytes(slot.try_into().map_err(|_| InvalidPosition)?)),
            next: Offset(u64::from_be_bytes(next.try_into().map_err(|_| InvalidPosition)?)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_round_trip_and_other_texts_are_refused() {
        let position = Position { epoch: LogEpoch([9; 16]), slot: Slot(3), next: Offset(1 << 40) };
        assert_eq!(position.to_string().parse(), Ok(position));
        for bad in ["", "x", "AAAA", "====", &position.to_string()[1..]] {
            assert_eq!(bad.parse::<Position>(), Err(InvalidPosition), "{bad:?}");
        }
    }
}
