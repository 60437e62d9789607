//! Cursors: a place in a list, which only the list that it was made for takes back.
//!
//! `base64url(place ‖ MAC)`, where the MAC is the workspace's keyed hash of route, question and place. So a cursor of
//! another workspace, route, filter or order does not verify, nor does one that was changed.
use super::{
    Inner,
    guard::Caller,
    problem::{ApiError, Code},
    routes::Endpoint,
};
use crate::engine::types::{InboxPlace, MessagePlace, Walk};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use keys::Pseudonyms;
use records::Position;
use schemas::{
    ids::{ConversationId, EventId, LogEpoch},
    log::{Offset, Slot},
    time::Millis,
};
use serde::Serialize;
use std::sync::Arc;
use subtle::ConstantTimeEq;

const MAC: usize = 32;
const AFTER: u8 = b'a';
const BEFORE: u8 = b'b';

/// Something that a cursor can hold.
pub(super) trait Place: Sized {
    fn write(&self) -> Vec<u8>;
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// Makes and reads the cursors of one question.
pub(super) struct Cursors {
    pseudonyms: Arc<Pseudonyms>,
    question: Vec<u8>,
}

impl Cursors {
    /// `question` is all that decides which items the list has and in which order.
    pub(super) async fn of(
        api: &Inner,
        caller: &Caller,
        endpoint: Endpoint,
        question: &impl Serialize,
    ) -> Result<Self, ApiError> {
        let mut bytes = Vec::new();
        let json = serde_json::to_vec(question).map_err(|_| Code::Internal)?;
        for part in [endpoint.path().as_bytes(), &json] {
            bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Ok(Self { pseudonyms: api.keyring.pseudonyms(caller.workspace).await?, question: bytes })
    }

    fn mac(&self, place: &[u8]) -> [u8; MAC] {
        self.pseudonyms.keyed_hash("cursor", &[&self.question, place].concat())
    }

    fn seal(&self, mut place: Vec<u8>) -> String {
        let mac = self.mac(&place);
        place.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(place)
    }

    fn open(&self, cursor: &str) -> Result<Vec<u8>, ApiError> {
        let mut bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Code::BadCursor)?;
        let Some(length) = bytes.len().checked_sub(MAC) else { return Err(Code::BadCursor.into()) };
        let mac = bytes.split_off(length);
        if !bool::from(self.mac(&bytes).ct_eq(mac.as_slice())) {
            return Err(Code::BadCursor.into());
        }
        Ok(bytes)
    }

    /// To what follows the place.
    pub(super) fn after(&self, place: &impl Place) -> String {
        self.seal([&[AFTER], place.write().as_slice()].concat())
    }

    /// To what comes before the place.
    pub(super) fn before(&self, place: &impl Place) -> String {
        self.seal([&[BEFORE], place.write().as_slice()].concat())
    }

    /// Where a cursor leads; without one to the start.
    pub(super) fn walk<P: Place>(&self, cursor: Option<&str>) -> Result<Walk<P>, ApiError> {
        let Some(cursor) = cursor else { return Ok(Walk::Start) };
        let bytes = self.open(cursor)?;
        let (direction, place) = bytes.split_first().ok_or(Code::BadCursor)?;
        let place = P::read(place).ok_or(Code::BadCursor)?;
        match *direction {
            AFTER => Ok(Walk::After(place)),
            BEFORE => Ok(Walk::Before(place)),
            _ => Err(Code::BadCursor.into()),
        }
    }
}

impl Place for InboxPlace {
    fn write(&self) -> Vec<u8> {
        [&self.at.0.to_be_bytes()[..], &self.conversation.0].concat()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (at, conversation) = bytes.split_first_chunk()?;
        Some(Self { at: Millis(i64::from_be_bytes(*at)), conversation: ConversationId::from_slice(conversation)? })
    }
}

impl Place for MessagePlace {
    fn write(&self) -> Vec<u8> {
        [&self.at.0.to_be_bytes()[..], &self.seq.to_be_bytes(), &self.id.0].concat()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk()?;
        let (seq, id) = rest.split_first_chunk()?;
        let (at, seq) = (Millis(i64::from_be_bytes(*at)), i64::from_be_bytes(*seq));
        Some(Self { at, seq, id: EventId::from_slice(id)? })
    }
}

impl Place for Position {
    fn write(&self) -> Vec<u8> {
        [&self.epoch.0[..], &self.slot.0.to_be_bytes(), &self.next.0.to_be_bytes()].concat()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (epoch, rest) = bytes.split_first_chunk()?;
        let (slot, next) = rest.split_first_chunk()?;
        let next: &[u8; 8] = next.try_into().ok()?;
        let (slot, next) = (Slot(u32::from_be_bytes(*slot)), Offset(u64::from_be_bytes(*next)));
        Some(Self { epoch: LogEpoch(*epoch), slot, next })
    }
}
