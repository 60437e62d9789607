//! What must be found and what was, as digests: millions of them take little room, so that the memory that a demo shows
//! is the node's.
use schemas::kind::Kind;
use sha2::{Digest as _, Sha256};
use std::hash::{BuildHasherDefault, Hasher};

/// A shop's account: its number, and LINE or Facebook.
pub type Account = (usize, bool);

/// Half of a SHA-256 over one thing and all that is compared of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Digest([u8; 16]);

/// Maps and sets of digests need no hashing of their own.
pub type DigestState = BuildHasherDefault<Folded>;

/// A digest, folded.
#[derive(Default)]
pub struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for (place, byte) in bytes.iter().enumerate() {
            self.0 ^= u64::from(*byte) << (8 * (place % 8));
        }
    }
    // The length, which all have in common.
    fn write_usize(&mut self, _: usize) {}
}

impl Digest {
    /// A message with its words as they are shown.
    pub fn message(account: Account, id: &str, text: Option<&str>) -> Self {
        let text = text.map_or_else(Vec::new, |text| [b"=", text.as_bytes()].concat());
        Self::of(b"message", Some(account), &[id.as_bytes(), &text])
    }

    /// Any other event, by its kind and its time in milliseconds.
    pub fn event(account: Account, kind: Kind, at: i64) -> Self {
        Self::of(b"event", Some(account), &[kind.as_str().as_bytes(), &at.to_le_bytes()])
    }

    /// A dead letter, by what came; without an account in the workspace `system`.
    pub fn dead(account: Option<Account>, bytes: &[u8]) -> Self {
        Self::of(b"dead", account, &[bytes])
    }

    /// Something of a connection that the player does not know.
    pub fn foreign(connection: &str) -> Self {
        Self::of(b"foreign", None, &[connection.as_bytes()])
    }

    /// Which message it is, whatever its words.
    pub fn identity(account: Account, id: &str) -> Self {
        Self::of(b"identity", Some(account), &[id.as_bytes()])
    }

    fn of(what: &[u8], account: Option<Account>, parts: &[&[u8]]) -> Self {
        let mut sha = Sha256::new();
        let account =
            account.map_or_else(Vec::new, |(shop, line)| [&shop.to_le_bytes()[..], &[u8::from(line)]].concat());
        for part in [what, &account].into_iter().chain(parts.iter().copied()) {
            sha.update(part.len().to_le_bytes());
            sha.update(part);
        }
        let mut half = [0; 16];
        half.copy_from_slice(&sha.finalize()[..16]);
        Self(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn what_differs_in_anything_has_another_digest() {
        let a = (1, true);
        let all = [
            Digest::message(a, "x", None),
            Digest::message(a, "x", Some("")),
            Digest::message(a, "x", Some("y")),
            Digest::message(a, "xy", Some("")),
            Digest::message((1, false), "x", None),
            Digest::message((2, true), "x", None),
            Digest::identity(a, "x"),
            Digest::event(a, Kind::Read, 1),
            Digest::event(a, Kind::Delivery, 1),
            Digest::event(a, Kind::Read, 2),
            Digest::dead(Some(a), b"x"),
            Digest::dead(None, b"x"),
            Digest::foreign("x"),
        ];
        assert_eq!(all.iter().copied().collect::<HashSet<_, DigestState>>().len(), all.len());
        assert_eq!(Digest::message(a, "x", Some("y")), all[2]);
    }
}
