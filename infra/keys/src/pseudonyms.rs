//! Ids derived from the platforms' own keys (`security.md` §8).
use crate::{aead::keyed, masters::MasterKey};
use hmac::{Hmac, Mac};
use schemas::ids::{ConnectionId, ContactId, ConversationId, EventId};
use sha2::Sha256;

/// Makes a workspace's pseudonymous ids: the first 16 bytes of HMAC-SHA256 under the workspace's HMK of kind,
/// connection and the platform's key, each prefixed by its length (u32 big-endian). The same input gives the same id
/// in every process, so that webhook, back-fill and import copies meet; another workspace gives others.
pub struct Pseudonyms(Hmac<Sha256>);

impl Pseudonyms {
    pub(crate) fn new(key: &MasterKey) -> Self {
        Self(keyed(&key.secret))
    }

    fn mac(&self, parts: [&[u8]; 3]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn id(&self, kind: &str, connection: ConnectionId, key: &[u8]) -> [u8; 16] {
        let mac = self.mac([kind.as_bytes(), &connection.0, key]);
        let mut id = [0; 16];
        id.copy_from_slice(&mac[..16]);
        id
    }

    /// The id of an event that brings no message.
    pub fn event(&self, connection: ConnectionId, key: &[u8]) -> EventId {
        EventId(self.id("event", connection, key))
    }

    /// The id of a message, from the platform's message id, and of the event that brings it.
    pub fn message(&self, connection: ConnectionId, key: &[u8]) -> EventId {
        EventId(self.id("message", connection, key))
    }

    /// The id of a contact.
    pub fn contact(&self, connection: ConnectionId, key: &[u8]) -> ContactId {
        ContactId(self.id("contact", connection, key))
    }

    /// The id of a conversation.
    pub fn conversation(&self, connection: ConnectionId, key: &[u8]) -> ConversationId {
        ConversationId(self.id("conversation", connection, key))
    }

    /// A keyed hash for anything else that must be compared but not read, such as person ids in the audit log
    /// (`security.md` §6). `purpose` keeps uses apart; no hash equals an id's.
    pub fn keyed_hash(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        self.mac([b"hash", purpose.as_bytes(), bytes])
    }
}
