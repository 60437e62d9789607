//! `X-Hub-Signature-256: sha256=<hex>` (`facebook.md` §2).
use crate::platforms::signature::Signature;

/// Decodes the header.
pub(super) fn decode(value: &[u8]) -> Option<Signature> {
    let digits = value.trim_ascii().strip_prefix(b"sha256=")?;
    let mut signature = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in signature.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(signature)
}
