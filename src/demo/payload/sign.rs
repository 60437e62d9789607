//! Signatures as the platforms make them.
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn mac(secret: &str, body: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mut mac) => {
            mac.update(body);
            mac.finalize().into_bytes().to_vec()
        }
        Err(_) => Vec::new(),
    }
}

/// LINE: header and value.
pub fn line(secret: &str, body: &[u8]) -> (&'static str, String) {
    ("x-line-signature", STANDARD.encode(mac(secret, body)))
}

/// Facebook: header and value.
pub fn facebook(secret: &str, body: &[u8]) -> (&'static str, String) {
    ("x-hub-signature-256", format!("sha256={}", schemas::ids::hex(&mac(secret, body))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The platforms' published examples, see `tests/fixtures/*/vectors`.
    #[test]
    fn the_known_vectors_come_out() {
        #[derive(serde::Deserialize)]
        struct Vector {
            secret: String,
            body_base64: String,
            expected_header_value: String,
            valid: bool,
        }
        let read = |text: &str| serde_json::from_str::<Vec<Vector>>(text).unwrap();
        let line_vectors = read(include_str!("../../../tests/fixtures/line/vectors/webhook_signature.json"));
        let facebook_vectors = read(include_str!("../../../tests/fixtures/facebook/vectors/webhook_signature.json"));
        for (vectors, sign) in [
            (line_vectors, line as fn(&str, &[u8]) -> (&'static str, String)),
            (facebook_vectors, facebook as fn(&str, &[u8]) -> (&'static str, String)),
        ] {
            assert!(!vectors.is_empty());
            for vector in vectors {
                let body = STANDARD.decode(&vector.body_base64).unwrap();
                let (_, value) = sign(&vector.secret, &body);
                assert_eq!(value == vector.expected_header_value, vector.valid);
            }
        }
    }
}
