//! `/metrics` as an operator reads it.
use super::{client::Client, node::Endpoints};
use std::collections::BTreeMap;

/// Every sample, by its name with labels as written.
pub fn samples(endpoints: &Endpoints) -> BTreeMap<String, f64> {
    let answer = Client::plain().get(&format!("{}/metrics", endpoints.operations), &[]).unwrap();
    assert_eq!(answer.status, 200);
    let text = answer.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, n)| Some((name.to_owned(), n.parse().ok()?)))
        .collect()
}

/// The sum over all samples of a metric.
pub fn sum(samples: &BTreeMap<String, f64>, name: &str) -> f64 {
    let of = |sample: &&String| sample.as_str() == name || sample.starts_with(&format!("{name}{{"));
    samples.iter().filter(|(sample, _)| of(sample)).map(|(_, n)| n).sum()
}

/// The sum over the samples of a metric that have this word among their labels.
pub fn labelled(endpoints: &Endpoints, name: &str, word: &str) -> f64 {
    let of = |sample: &str| sample.starts_with(name) && sample.contains(word);
    samples(endpoints).iter().filter(|(sample, _)| of(sample)).map(|(_, n)| n).sum()
}

/// `chatmai_events_total` by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub accepted: u64,
    pub committed: u64,
    pub duplicates: u64,
    pub dead_lettered: u64,
    pub ignored: u64,
}

impl Totals {
    pub fn read(endpoints: &Endpoints) -> Self {
        let samples = samples(endpoints);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole and positive")]
        let of = |outcomes: &[&str]| -> u64 {
            let is = |sample: &str| outcomes.iter().any(|o| sample.contains(&format!("outcome=\"{o}\"")));
            let found = samples.iter().filter(|(sample, _)| sample.starts_with("chatmai_events_total{") && is(sample));
            found.map(|(_, n)| *n as u64).sum()
        };
        Self {
            accepted: of(&["accepted"]),
            committed: of(&["committed"]),
            duplicates: of(&["duplicate", "duplicates"]),
            dead_lettered: of(&["dead_lettered"]),
            ignored: of(&["ignored"]),
        }
    }

    /// True when everything accepted has come to its end.
    pub fn add_up(self) -> bool {
        self.accepted == self.committed + self.duplicates + self.dead_lettered + self.ignored
    }
}
