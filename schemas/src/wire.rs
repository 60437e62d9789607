//! The plaintext of a record: postcard, by schema id. A new shape gets a new schema id; old ones read for ever.
use crate::{
    event::{Event, Ignored, Raw},
    record::SchemaId,
};

/// What a record holds.
#[allow(clippy::large_enum_variant, reason = "nearly all are events; a box would cost an allocation each")]
#[derive(Clone, PartialEq, Debug)]
pub enum Payload {
    /// An event.
    Event(Event),
    /// Something unreadable.
    Raw(Raw),
    /// Only a count.
    Ignored(Ignored),
}

/// A plaintext that does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Written by a newer version. Stop and upgrade.
    #[error("the record has schema {0}, which this version does not know")]
    UnknownSchema(u32),
    /// Not what its schema says. Authenticated, so a bug.
    #[error("the record does not read as its schema")]
    Malformed,
}

impl Payload {
    /// Its schema.
    pub fn schema(&self) -> SchemaId {
        match self {
            Self::Event(_) => SchemaId::EventV1,
            Self::Raw(_) => SchemaId::RawV1,
            Self::Ignored(_) => SchemaId::IgnoredV1,
        }
    }

    /// The plaintext.
    ///
    /// # Errors
    /// [`WireError::Malformed`], which no value of ours causes.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        match self {
            Self::Event(event) => postcard::to_stdvec(event),
            Self::Raw(raw) => postcard::to_stdvec(raw),
            Self::Ignored(ignored) => postcard::to_stdvec(ignored),
        }
        .map_err(|_| WireError::Malformed)
    }

    /// Reads a plaintext of the given schema.
    ///
    /// # Errors
    /// See [`WireError`].
    pub fn decode(schema: u32, bytes: &[u8]) -> Result<Self, WireError> {
        match SchemaId::from_u32(schema).ok_or(WireError::UnknownSchema(schema))? {
            SchemaId::EventV1 => postcard::from_bytes(bytes).map(Self::Event),
            SchemaId::RawV1 => postcard::from_bytes(bytes).map(Self::Raw),
            SchemaId::IgnoredV1 => postcard::from_bytes(bytes).map(Self::Ignored),
        }
        .map_err(|_| WireError::Malformed)
    }
}
