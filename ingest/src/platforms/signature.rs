//! HMAC-SHA256 over the raw bytes: what both platforms sign with; only the header differs.
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A decoded signature.
pub type Signature = [u8; 32];

/// True when one of the secrets made the signature. Every secret is tried, each compared in constant time, so that
/// during a rotation the time does not tell which one is in use.
pub fn verify(secrets: &[&[u8]], signature: &Signature, body: &[u8]) -> bool {
    let mut valid = false;
    for secret in secrets {
        // An HMAC key may have any length but none: an empty secret would be one that everybody knows.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { continue };
        mac.update(body);
        valid |= !secret.is_empty() & mac.verify_slice(signature).is_ok();
    }
    valid
}
