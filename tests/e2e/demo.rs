//! `chatmai demo`: the verdict, its object, and odd arguments.
use crate::harness::cli::{self, Outcome};
use serde_json::Value;
use std::path::Path;

fn demo(dir: &Path, arguments: &[&str]) -> Outcome {
    cli::run(dir, &[], &[&["demo", "--json"], arguments].concat())
}

fn number(object: &Value, name: &str) -> u64 {
    object[name].as_u64().unwrap_or_else(|| panic!("no number `{name}` in {object}"))
}

/// Exit 0, every figure of the contract, and an accounting that adds up.
fn check(outcome: &Outcome, events: u64) -> Value {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let object = outcome.json();
    assert_eq!((number(&object, "lost"), number(&object, "doubled")), (0, 0), "{object}");
    assert_eq!((number(&object, "sent"), number(&object, "accepted")), (events, events), "{object}");
    let parts = ["committed", "duplicates", "dead_lettered", "ignored"].map(|part| number(&object, part));
    assert_eq!(parts.iter().sum::<u64>(), events, "{object}");
    for name in ["data_files", "data_bytes", "peak_rss_bytes"] {
        assert!(number(&object, name) > 0, "{name}: {object}");
    }
    assert!(object["elapsed_s"].as_f64().unwrap() > 0.0);
    for name in ["webhook_ms", "freshness_ms"] {
        let (p50, p99) = (&object[name]["p50"], &object[name]["p99"]);
        assert!(p50.as_f64() <= p99.as_f64() && object[name].is_object(), "{name}: {object}");
    }
    // People read the table beside it.
    for words in ["duplicates dropped", "lost", "median first response", "Inbox of ", "last message"] {
        assert!(outcome.stderr.contains(words), "no `{words}` in the table");
    }
    object
}

#[test]
fn the_demo_plays_everything_and_finds_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let object = check(&demo(&dir.path().join("data"), &["--events", "600", "--workspaces", "4"]), 600);
    for name in ["duplicates", "dead_lettered", "ignored", "forged_refused", "conversations"] {
        assert!(number(&object, name) > 0, "{name}: {object}");
    }
    assert!(object["median_first_response_s"].is_f64());
}

/// Somebody's brokers, bucket, databases and root keys may stand in the configuration of the place where it is tried.
#[test]
fn the_demo_touches_nothing_that_is_configured() {
    let root = tempfile::tempdir().unwrap();
    let root_keys = root.path().join("root-keys");
    let somebodys = [
        ("kafka.brokers", "[\"127.0.0.1:1\"]"),
        ("kafka.ca_certificate", "/nowhere/ca.pem"),
        ("kafka.certificate", "/nowhere/own.pem"),
        ("kafka.key", "/nowhere/own-key.pem"),
        ("store.url", "s3://somebodys/folder"),
        ("kms.directory", root_keys.to_str().unwrap()),
        ("catalog.url", "postgres://c@127.0.0.1:1/c"),
        ("keys.url", "postgres://k@127.0.0.1:1/k"),
        ("vault.url", "postgres://v@127.0.0.1:1/v"),
    ];
    let somebodys = somebodys.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let dir = root.path().join("data");
    let outcome = cli::run(&dir, &somebodys, &["demo", "--json", "--events", "20"]);
    check(&outcome, 20);
    assert!(!root_keys.exists());
    let without = cli::run(&dir, &[], &["demo", "--events", "20", "--kafka"]);
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(without.stderr.contains("kafka.brokers"), "{without:?}");
}

#[test]
fn odd_arguments_are_played_or_refused_with_a_reason() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    // Fewer events than workspaces: somebody's inbox is shown all the same.
    let one = demo(&dir, &["--events", "1", "--workspaces", "5"]);
    check(&one, 1);
    assert!(one.stderr.trim_end().lines().rev().nth(1).unwrap().contains("20"), "an empty inbox: {}", one.stderr);
    // The same shops again: refused before anything is made. Others are welcome beside them.
    let workspaces = || cli::run(&dir, &[], &["workspace", "list", "--json"]).items().len();
    let before = workspaces();
    let again = demo(&dir, &["--events", "5", "--workspaces", "5"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.stderr.contains("--seed") && again.stderr.contains("--data-dir"), "{again:?}");
    assert_eq!(workspaces(), before);
    check(&demo(&dir, &["--events", "30", "--seed", "7"]), 30);
    assert_eq!(workspaces(), before + 3);
    for wrong in [&["--events", "0"][..], &["--workspaces", "0"], &["--seed", "x"], &["--evnts", "5"]] {
        assert_eq!(demo(&dir, wrong).code, Some(2), "{wrong:?}");
    }
    // An account has one event of a kind in a millisecond, so that a workspace has a highest rate.
    let hasty = demo(&dir, &["--events", "5", "--workspaces", "2", "--rate", "10001", "--seed", "8"]);
    assert_eq!(hasty.code, Some(2), "{hasty:?}");
    assert!(hasty.stderr.contains("--rate is 5000 for each"), "{hasty:?}");
    assert_eq!(workspaces(), before + 3);
}
