//! What comes out of every fixture, in one line per element.
#![allow(clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
mod support;

use ingest::platforms::{Connector, facebook, line};
use support::*;

fn lines(connector: &dyn Connector, account: &str, bytes: &[u8]) -> Vec<String> {
    let ids = ReadableIds::default();
    parse(connector, account, &ids, bytes).iter().map(|parsed| support::line(parsed, &ids)).collect()
}

/// Compares with `tests/expected/<platform>.txt`: a file's name, then a line per element.
fn check(platform: &str, connector: &dyn Connector, account: &str) {
    let mut actual = String::new();
    for name in fixtures(platform) {
        actual.push_str(&format!("{name}\n"));
        for line in lines(connector, account, &fixture(platform, &name)) {
            actual.push_str(&format!("  {line}\n"));
        }
    }
    let path = format!("{}/tests/expected/{platform}.txt", env!("CARGO_MANIFEST_DIR"));
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (actual, expected) in actual.lines().zip(expected.lines()) {
        assert_eq!(actual, expected);
    }
    assert_eq!(actual, expected, "{actual}");
}

#[test]
fn every_line_fixture_gives_what_is_expected() {
    check("line", &line::Line, "U9d74932bdb6f21dc7ab21d6fc5260f47");
}

#[test]
fn every_facebook_fixture_gives_what_is_expected() {
    let apps = facebook::AppIds { own: Some("987654321098765".into()), ..Default::default() };
    check("facebook", &facebook::Facebook::new(apps), PAGE);
}
