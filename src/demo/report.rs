//! The result, as an object and as a table that a person understands.
use super::{
    check::Verdict,
    timeline::{self, Step},
};
use crate::{node::Totals, output};
use serde_json::{Value, json};
use std::fmt::Write;

/// Two percentiles of a measurement, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentiles {
    /// Half of all are at most this.
    pub p50: f64,
    /// All but one of a hundred are at most this.
    pub p99: f64,
}

impl Percentiles {
    /// Of these; `None` when there are none.
    pub fn of(samples: &mut [f64]) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * samples.len() as f64).ceil() as usize;
            samples.get(rank.saturating_sub(1)).map(|value| (value * 100.0).round() / 100.0)
        };
        Some(Self { p50: at(0.5)?, p99: at(0.99)? })
    }

    /// As an object; its parts are null where there was nothing.
    pub fn json(of: Option<Self>) -> Value {
        json!({ "p50": of.map(|of| of.p50), "p99": of.map(|of| of.p99) })
    }
}

/// Everything that the demo found out.
#[derive(Debug)]
pub struct Report {
    /// Events in validly signed posts, copies included.
    pub sent: u64,
    /// Posts with a forged signature, refused.
    pub refused: u64,
    /// The pipeline's own accounting, shown beside what was found.
    pub totals: Totals,
    /// What was found, against what was sent.
    pub verdict: Verdict,
    /// Conversations that were read.
    pub conversations: u64,
    /// Time to the answer of a post.
    pub webhook: Option<Percentiles>,
    /// From the answer to the message in the live stream.
    pub freshness: Option<Percentiles>,
    /// Median of the first responses, in milliseconds; none at a rate.
    pub first_response_ms: Option<f64>,
    /// Live data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Most resident memory.
    pub peak_rss: u64,
    /// From the first post to the last answer.
    pub play_s: f64,
    /// How it went over time, at a rate; empty otherwise.
    pub timeline: Vec<Step>,
    /// All of it.
    pub elapsed_s: f64,
}

impl Report {
    /// True when nothing is lost and nothing doubled.
    pub fn is_clean(&self) -> bool {
        self.verdict == Verdict::default()
    }

    /// As one object.
    pub fn json(&self) -> Value {
        let round = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
        json!({
            "sent": self.sent,
            "accepted": self.totals.accepted(),
            "duplicates": self.totals.duplicates,
            "ignored": self.totals.ignored,
            "dead_lettered": self.totals.dead_lettered,
            "committed": self.totals.committed,
            "lost": self.verdict.lost,
            "doubled": self.verdict.doubled,
            "forged_refused": self.refused,
            "conversations": self.conversations,
            "webhook_ms": Percentiles::json(self.webhook),
            "freshness_ms": Percentiles::json(self.freshness),
            "median_first_response_s": self.first_response_ms.map(|ms| ms / 1000.0),
            "data_files": self.files,
            "data_bytes": self.bytes,
            "peak_rss_bytes": self.peak_rss,
            "play_s": round(self.play_s),
            "timeline": timeline::json(&self.timeline),
            "elapsed_s": round(self.elapsed_s),
        })
    }

    /// As a table.
    pub fn table(&self) -> String {
        let both = |of: Option<Percentiles>| {
            of.map_or_else(|| "not measured".into(), |of| format!("{} ms / {} ms", of.p50, of.p99))
        };
        let rate = self.sent as f64 / self.play_s.max(0.001);
        let rows = [
            ("sent, copies included", format!("{} in {:.1} s ({rate:.0}/s)", self.sent, self.play_s)),
            ("accepted", self.totals.accepted().to_string()),
            ("duplicates dropped", self.totals.duplicates.to_string()),
            ("ignored (only counted)", self.totals.ignored.to_string()),
            ("dead-lettered (kept as they came)", self.totals.dead_lettered.to_string()),
            ("committed to encrypted files", self.totals.committed.to_string()),
            ("lost", self.verdict.lost.to_string()),
            ("doubled", self.verdict.doubled.to_string()),
            ("webhook answer p50 / p99", both(self.webhook)),
            ("accepted → visible p50 / p99", both(self.freshness)),
            ("data files", format!("{} ({})", self.files, size(self.bytes))),
            ("conversations", self.conversations.to_string()),
            ("median first response", self.first_response_ms.map_or_else(|| "none".into(), duration)),
            ("most memory", size(self.peak_rss)),
        ];
        let mut table = output::table(&["what", "result"]);
        for (name, value) in rows {
            table.add_row([name.to_owned(), value]);
        }
        let mut text = table.to_string();
        if !self.timeline.is_empty() {
            let _ = write!(text, "\n\n{}", timeline::table(&self.timeline));
        }
        text
    }
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    let (unit, name) = if bytes < 1 << 20 { (1 << 10, "KiB") } else { (1 << 20, "MiB") };
    format!("{:.1} {name}", bytes as f64 / f64::from(unit))
}

/// Milliseconds for people.
fn duration(ms: f64) -> String {
    let seconds = (ms / 1000.0).round() as u64;
    let mut text = String::new();
    if seconds >= 3600 {
        let _ = write!(text, "{} h ", seconds / 3600);
    }
    let _ = write!(text, "{} min {} s", seconds % 3600 / 60, seconds % 60);
    text
}

/// The first page of an inbox as a table, times in the shop's own zone.
pub fn inbox(items: &[Value], time_zone: &str) -> String {
    let mut table = output::table(&["time", "platform", "contact", "status", "unread", "last message"]);
    for item in items {
        let contact = &item["contact"];
        let id = contact["id"].as_str().unwrap_or("-");
        let name = contact["name"].as_str().map_or_else(|| format!("{}…", &id[..id.len().min(8)]), str::to_owned);
        table.add_row([
            local(item["last_activity_at"].as_str().unwrap_or_default(), time_zone),
            item["platform"].as_str().unwrap_or_default().to_owned(),
            name,
            item["status"].as_str().unwrap_or_default().to_owned(),
            item["unread"].to_string(),
            words(&item["last_message"]),
        ]);
    }
    table.to_string()
}

fn local(time: &str, zone: &str) -> String {
    let zoned = time.parse::<jiff::Timestamp>().and_then(|at| at.in_tz(zone));
    zoned.map_or_else(|_| time.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

/// The last message in one line, by characters: bytes would cut most of these languages apart.
fn words(message: &Value) -> String {
    const MOST: usize = 40;
    let said = match (message["unsent_at"].is_string(), message["text"].as_str(), message["type"].as_str()) {
        (true, ..) => "(unsent)".to_owned(),
        (_, Some(text), _) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        (_, None, Some(kind)) => format!("({kind})"),
        _ => String::new(),
    };
    let arrow = if message["direction"] == "out" { "→ " } else { "" };
    if said.chars().count() > MOST {
        format!("{arrow}{}…", said.chars().take(MOST).collect::<String>().trim_end())
    } else {
        format!("{arrow}{said}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(Percentiles::of(&mut samples), Some(Percentiles { p50: 50.0, p99: 99.0 }));
        assert_eq!(Percentiles::of(&mut [3.0]), Some(Percentiles { p50: 3.0, p99: 3.0 }));
        assert_eq!(Percentiles::of(&mut []), None);
        assert_eq!(Percentiles::json(None), json!({ "p50": null, "p99": null }));
    }

    #[test]
    fn messages_are_shortened_by_characters() {
        let long = json!({ "text": "ก".repeat(50), "direction": "out", "type": "text" });
        assert_eq!(words(&long), format!("→ {}…", "ก".repeat(40)));
        assert_eq!(words(&json!({ "type": "sticker", "direction": "in" })), "(sticker)");
        assert_eq!(words(&json!({ "unsent_at": "2026-01-01T00:00:00.000Z", "type": "text" })), "(unsent)");
        assert_eq!(words(&Value::Null), "");
        assert_eq!(local("2026-11-22T08:15:30.123Z", "Asia/Bangkok"), "2026-11-22 15:15");
        assert_eq!(duration(90_000.0), "1 min 30 s");
        assert_eq!((size(45_932), size(3 << 20)), ("44.9 KiB".into(), "3.0 MiB".into()));
    }
}
