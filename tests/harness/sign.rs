//! Signatures as the platforms make them.
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn mac(secret: &str, body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// LINE's header and value.
pub fn line(secret: &str, body: &[u8]) -> (&'static str, String) {
    ("x-line-signature", STANDARD.encode(mac(secret, body)))
}

/// Facebook's header and value.
pub fn facebook(secret: &str, body: &[u8]) -> (&'static str, String) {
    let digits: String = mac(secret, body).iter().map(|byte| format!("{byte:02x}")).collect();
    ("x-hub-signature-256", format!("sha256={digits}"))
}
