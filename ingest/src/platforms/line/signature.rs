//! `x-line-signature`: standard base64 of the MAC (`line.md` §2).
use crate::platforms::signature::Signature;
use base64::{Engine, engine::general_purpose::STANDARD};

/// Decodes the header.
pub(super) fn decode(value: &[u8]) -> Option<Signature> {
    STANDARD.decode(value.trim_ascii()).ok()?.try_into().ok()
}
