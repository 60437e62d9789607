//! One type per id, so that a conversation can never be passed where a contact is meant. Every id is 16 bytes and
//! is shown as 32 lower-case hex characters.
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// What is wrong with a text that should have been an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 lower-case hexadecimal characters")]
pub struct InvalidId;

/// Parses 32 lower-case hex characters.
fn parse_hex(text: &str) -> Result<[u8; 16], InvalidId> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Ok(c - b'0'),
        b'a'..=b'f' => Ok(c - b'a' + 10),
        _ => Err(InvalidId),
    };
    let text: &[u8; 32] = text.as_bytes().try_into().map_err(|_| InvalidId)?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

/// Lower-case hex of any bytes.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The id in these bytes; `None` unless there are exactly 16.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The 16 bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; 16]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

id!(
    /// A customer of the product: the unit of isolation, keys and deletion. Random.
    WorkspaceId
);
id!(
    /// One connected page, shop or official account. Random.
    ConnectionId
);
id!(
    /// The permanent thread of one contact (or one LINE group) on one connection. Keyed hash, see `keys`.
    ConversationId
);
id!(
    /// A customer of the workspace, on one connection. Keyed hash.
    ContactId
);
id!(
    /// One event. Keyed hash of the platform's own key, so that copies of an event meet. The event that brings a
    /// message has the message's id.
    EventId
);
id!(
    /// One encrypted Parquet file. Random.
    DataFileId
);
id!(
    /// A data encryption key of sealed records. Random.
    DekId
);
id!(
    /// An API key (not the key itself). Random.
    ApiKeyId
);
id!(
    /// One incarnation of the event log; a new log has another epoch, and positions of the old one are unknown to it.
    LogEpoch
);

impl WorkspaceId {
    /// The operator's own workspace `system`: what belongs to no connection is kept here.
    pub const SYSTEM: Self = Self([0; 16]);
}

impl ConnectionId {
    /// Stands for "no connection" in the `system` workspace.
    pub const NONE: Self = Self([0; 16]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_round_trip_through_text(bytes: [u8; 16]) {
            let id = EventId(bytes);
            prop_assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
            prop_assert_eq!(id.to_string().len(), 32);
        }
    }

    #[test]
    fn only_32_lower_case_hex_characters_are_an_id() {
        for bad in
            ["", "0", &"0".repeat(31), &"0".repeat(33), &"A".repeat(32), &"g".repeat(32), "é".repeat(16).as_str()]
        {
            assert_eq!(bad.parse::<WorkspaceId>(), Err(InvalidId), "{bad:?}");
        }
    }
}
