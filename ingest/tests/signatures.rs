//! The signature vectors of both platforms.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
mod support;
#[path = "support/world.rs"]
mod world;

use base64::{Engine, engine::general_purpose::STANDARD};
use ingest::platforms::{Connector, facebook, line, signature::verify};
use support::*;

fn check(platform: &str, connector: &dyn Connector) {
    let vectors: serde_json::Value =
        serde_json::from_slice(&fixture(platform, "vectors/webhook_signature.json")).expect("vectors");
    let vectors = vectors.as_array().expect("a list");
    assert!(vectors.iter().any(|v| v["valid"] == true) && vectors.iter().any(|v| v["valid"] == false));
    for vector in vectors {
        let body = STANDARD.decode(vector["body_base64"].as_str().expect("body")).expect("base64");
        let header = vector["expected_header_value"].as_str().expect("header");
        assert!(connector.signature_header().eq_ignore_ascii_case(vector["header"].as_str().expect("name")));
        let signature = connector.decode_signature(header.as_bytes()).expect("decodes");
        let secret = vector["secret"].as_str().expect("secret").as_bytes();
        assert_eq!(verify(&[secret], &signature, &body), vector["valid"] == true, "{}", vector["name"]);
        assert_eq!(verify(&[b"another", secret], &signature, &body), vector["valid"] == true, "during a rotation");
        assert!(!verify(&[b"another"], &signature, &body));
        assert!(!verify(&[], &signature, &body));
    }
}

#[test]
fn line_vectors_hold() {
    check("line", &line::Line);
}

#[test]
fn facebook_vectors_hold() {
    check("facebook", &facebook::Facebook::default());
}

#[test]
fn other_forms_are_no_signature() {
    let facebook = facebook::Facebook::default();
    let digits = "0".repeat(64);
    assert!(facebook.decode_signature(format!("sha256={digits}").as_bytes()).is_some());
    for bad in [
        "".to_owned(),
        digits.clone(),
        format!("sha1={digits}"),
        format!("sha256={digits}0"),
        format!("sha256={}g", &digits[1..]),
    ] {
        assert!(facebook.decode_signature(bad.as_bytes()).is_none(), "{bad}");
    }
    for bad in ["", "AAAA", "not base64", &STANDARD.encode([0; 31]), &STANDARD.encode([0; 33])] {
        assert!(line::Line.decode_signature(bad.as_bytes()).is_none(), "{bad}");
    }
}

#[test]
fn an_empty_secret_signs_nothing() {
    let signature = world::mac(b"", b"body").try_into().expect("32 bytes");
    assert!(!verify(&[b""], &signature, b"body"));
}
