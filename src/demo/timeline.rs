//! How a play at a rate went over time: whether anything grows.
use super::{freshness::Freshness, play::Played, report::Percentiles};
use crate::{node::Node, output, process};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Plays that are longer are shown by minutes.
const SHORT: Duration = Duration::from_secs(120);

/// One stretch of the play.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its end, since the play began.
    until: Duration,
    /// Events acknowledged in it.
    events: u64,
    webhook: Option<Percentiles>,
    freshness: Option<Percentiles>,
    /// Cores that the process kept busy, the client's part included.
    cores: f64,
    /// Resident memory at its end, in bytes.
    resident: u64,
    /// The client's part of it: what it keeps of all that it has sent.
    client: u64,
    /// Records in the log that no file held at its end; `None` when that could not be asked.
    waiting: Option<u64>,
}

/// See the module's documentation.
pub struct Timeline {
    played: Arc<Mutex<Played>>,
    freshness: Freshness,
    step: Duration,
    /// What was seen so far.
    pub steps: Vec<Step>,
}

impl Timeline {
    /// For a play that takes this long.
    pub fn new(played: Arc<Mutex<Played>>, freshness: Freshness, takes: Duration) -> Self {
        let step = Duration::from_secs(if takes > SHORT { 60 } else { 10 });
        Self { played, freshness, step, steps: Vec::new() }
    }

    /// Looks after each stretch, until it is dropped.
    pub async fn watch(&mut self, node: &Node) {
        let (began, mut busy) = (Instant::now(), process::processor_time());
        let (mut events, mut answers, mut samples) = (0, 0, 0);
        let mut ticks = tokio::time::interval_at((began + self.step).into(), self.step);
        let mut last = began;
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let (mut webhook, sent, mut client) = {
                let played = self.played.lock();
                (played.answers[answers..].to_vec(), played.expectation.sent(), played.bytes())
            };
            client += self.freshness.bytes();
            let mut fresh = self.freshness.since(samples);
            (answers, samples) = (answers + webhook.len(), samples + fresh.len());
            let used = process::processor_time();
            self.steps.push(Step {
                until: now - began,
                events: sent - events,
                webhook: Percentiles::of(&mut webhook),
                freshness: Percentiles::of(&mut fresh),
                cores: used.saturating_sub(busy).as_secs_f64() / (now - last).as_secs_f64(),
                resident: process::rss_bytes(),
                client,
                waiting: node.totals().await.ok().map(|totals| totals.waiting),
            });
            (events, busy, last) = (sent, used, now);
        }
    }
}

/// As a list of objects.
pub fn json(steps: &[Step]) -> Value {
    let step = |step: &Step| {
        json!({
            "until_s": step.until.as_secs(),
            "events": step.events,
            "webhook_ms": Percentiles::json(step.webhook),
            "freshness_ms": Percentiles::json(step.freshness),
            "cores": (step.cores * 100.0).round() / 100.0,
            "rss_bytes": step.resident,
            "client_bytes": step.client,
            "waiting": step.waiting,
        })
    };
    steps.iter().map(step).collect()
}

/// As a table.
pub fn table(steps: &[Step]) -> String {
    let both = |of: Option<Percentiles>| of.map_or_else(|| "-".into(), |of| format!("{} / {}", of.p50, of.p99));
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let names = ["until", "events", "answer ms p50 / p99", "visible ms", "cores", "memory", "client's", "not landed"];
    let mut table = output::table(&names);
    for step in steps {
        table.add_row([
            format!("{} s", step.until.as_secs()),
            step.events.to_string(),
            both(step.webhook),
            both(step.freshness),
            format!("{:.2}", step.cores),
            mib(step.resident),
            mib(step.client),
            step.waiting.map_or_else(|| "-".into(), |records| records.to_string()),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_saw_nothing_is_shown_too() {
        let step = Step {
            until: Duration::from_secs(10),
            events: 0,
            webhook: None,
            freshness: Percentiles::of(&mut [1.0, 3.0]),
            cores: 0.126,
            resident: 5 << 20,
            client: 1 << 20,
            waiting: None,
        };
        let json = json(std::slice::from_ref(&step));
        assert_eq!((&json[0]["webhook_ms"]["p50"], &json[0]["waiting"]), (&Value::Null, &Value::Null));
        assert_eq!((json[0]["freshness_ms"]["p99"].as_f64(), json[0]["cores"].as_f64()), (Some(3.0), Some(0.13)));
        let table = table(&[step]);
        assert!(table.contains("5 MiB") && table.contains("1 / 3"), "{table}");
    }
}
