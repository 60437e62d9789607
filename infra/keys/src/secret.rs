//! A 32-byte secret that is wiped when it is dropped.
use crate::error::KeyError;
use schemas::clock::Entropy;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A 256-bit key. It lies on the heap, so that moving it leaves no copy behind; it does not print, clone or serialise
/// (`security.md` §1).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret32(Box<[u8; 32]>);

impl Secret32 {
    /// A fresh key.
    ///
    /// # Errors
    /// [`KeyError::Entropy`] when the generator fails.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let mut key = Self(Box::new([0; 32]));
        entropy.fill(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// A copy of these bytes; `None` unless there are exactly 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Self(Box::new([0; 32]));
        if bytes.len() != 32 {
            return None;
        }
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// The bytes. Do not copy them anywhere that outlives the use.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}
