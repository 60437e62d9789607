//! How long it takes from the acknowledgement of a post until its message is visible, seen from outside: by the answer
//! to the post on one side and the live stream on the other.
use super::{
    check::{Digest, DigestState},
    client::Server,
    stage::Stage,
};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Streams that are opened at most; with more workspaces a sample of them is watched.
const STREAMS: usize = 32;

/// A message is forgotten when at least so many were measured after it. Its copies come before that: they are sent within
/// a wave of traffic.
const FORGET: usize = 100_000;

enum Moment {
    Accepted(Instant),
    Visible(Instant),
    /// In which round of so many.
    Measured(u64),
}

#[derive(Default)]
struct Moments {
    by_message: HashMap<Digest, Moment, DigestState>,
    waiting: usize,
    measured: usize,
    round: u64,
    samples: Vec<f64>,
}

impl Moments {
    /// A message was accepted at one instant and seen at another.
    fn measured(&mut self, key: Digest, accepted: Instant, visible: Instant) {
        // Seen before its sender heard of it: no time at all.
        self.samples.push(visible.saturating_duration_since(accepted).as_secs_f64() * 1000.0);
        self.by_message.insert(key, Moment::Measured(self.round));
        self.measured += 1;
        if self.measured >= FORGET {
            let round = self.round;
            self.by_message.retain(|_, moment| !matches!(moment, Moment::Measured(of) if *of < round));
            (self.measured, self.round) = (0, round + 1);
        }
    }
}

/// The live stream does not say of which platform a message is; their ids differ.
fn key(shop: usize, id: &str) -> Digest {
    Digest::identity((shop, false), id)
}

/// Measures. Cheap to clone.
#[derive(Clone, Default)]
pub struct Freshness(Arc<Mutex<Moments>>);

impl Freshness {
    /// A message was acknowledged.
    pub fn accepted(&self, shop: usize, id: &str, at: Instant) {
        if shop >= STREAMS {
            return;
        }
        let key = key(shop, id);
        let mut moments = self.0.lock();
        match moments.by_message.get(&key) {
            None => {
                moments.by_message.insert(key, Moment::Accepted(at));
                moments.waiting += 1;
            }
            Some(Moment::Visible(seen)) => {
                let seen = *seen;
                moments.measured(key, at, seen);
            }
            // A copy.
            Some(Moment::Accepted(_) | Moment::Measured(_)) => {}
        }
    }

    /// A message was seen.
    fn visible(&self, shop: usize, id: &str, at: Instant) {
        let key = key(shop, id);
        let mut moments = self.0.lock();
        match moments.by_message.get(&key) {
            None => {
                moments.by_message.insert(key, Moment::Visible(at));
            }
            Some(Moment::Accepted(accepted)) => {
                let accepted = *accepted;
                moments.waiting -= 1;
                moments.measured(key, accepted, at);
            }
            Some(Moment::Visible(_) | Moment::Measured(_)) => {}
        }
    }

    /// The times so far, in milliseconds, from the one with this number on.
    pub fn since(&self, number: usize) -> Vec<f64> {
        self.0.lock().samples.get(number..).unwrap_or_default().to_vec()
    }

    /// Bytes that are kept for all this, nearly: the client's part of a process's memory.
    pub fn bytes(&self) -> u64 {
        let moments = self.0.lock();
        let (known, samples) = (moments.by_message.capacity(), moments.samples.capacity());
        (known * size_of::<(Digest, Moment)>() + samples * size_of::<f64>()) as u64
    }

    /// Waits until all that was acknowledged was seen, or `patience` is over; gives the times in milliseconds.
    pub async fn finish(&self, patience: Duration) -> Vec<f64> {
        let until = Instant::now() + patience;
        while self.0.lock().waiting > 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::mem::take(&mut self.0.lock().samples)
    }

    /// Opens the live streams; they end with the returned set. Returns once they are open.
    ///
    /// # Errors
    /// When a stream does not open.
    pub async fn watch(&self, api: &Server, stage: &Stage) -> Result<JoinSet<()>, String> {
        let mut streams = JoinSet::new();
        for (shop, place) in stage.places.iter().enumerate().take(STREAMS) {
            let mut client = api.client();
            let authorization = format!("Bearer {}", place.key);
            let headers = [("authorization", authorization.as_str()), ("accept", "text/event-stream")];
            let opened = client.open(Method::GET, "/v1/events/stream", &headers, Bytes::new()).await;
            let response = opened.map_err(|error| error.to_string())?;
            if !response.status().is_success() {
                return Err(format!("the live stream answered {}", response.status()));
            }
            let freshness = self.clone();
            streams.spawn(async move {
                // The connection lives as long as its client.
                let _client = client;
                let mut body = response.into_body();
                let mut events = Events::default();
                while let Some(Ok(frame)) = body.frame().await {
                    let Some(data) = frame.data_ref() else { continue };
                    let now = Instant::now();
                    events.feed(data, |id| freshness.visible(shop, id, now));
                }
            });
        }
        Ok(streams)
    }
}

/// Server-sent events out of a stream of bytes.
#[derive(Default)]
struct Events(Vec<u8>);

impl Events {
    /// Takes bytes, and tells the platform's message id of each `message.created` in them.
    fn feed(&mut self, bytes: &[u8], mut created: impl FnMut(&str)) {
        #[derive(serde::Deserialize)]
        struct Message<'a> {
            #[serde(borrow)]
            platform_message_id: std::borrow::Cow<'a, str>,
        }
        self.0.extend_from_slice(bytes);
        let mut done = 0;
        while let Some(end) = self.0[done..].windows(2).position(|pair| pair == b"\n\n") {
            let event = String::from_utf8_lossy(&self.0[done..done + end]);
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
            if field("event:") == Some("message.created")
                && let Some(message) = field("data:").and_then(|data| serde_json::from_str::<Message<'_>>(data).ok())
            {
                created(&message.platform_message_id);
            }
            done += end + 2;
        }
        self.0.drain(..done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_whatever_the_pieces() {
        let text = ": hello\n\nevent: message.created\nid: x\ndata: {\"platform_message_id\":\"a\\/b\"}\n\n\
            event: message.amended\ndata: {\"platform_message_id\":\"c\"}\n\n\
            event: message.created\ndata: {\"platform_message_id\":\"d\"}\n\nevent: mess";
        for size in 1..text.len() {
            let (mut events, mut seen) = (Events::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                events.feed(piece, |id| seen.push(id.to_owned()));
            }
            assert_eq!(seen, ["a/b", "d"]);
        }
    }

    #[tokio::test]
    async fn each_message_is_measured_once_whichever_side_comes_first() {
        let freshness = Freshness::default();
        let start = Instant::now();
        freshness.accepted(0, "a", start);
        freshness.accepted(0, "a", start + Duration::from_secs(9));
        freshness.visible(0, "a", start + Duration::from_millis(5));
        freshness.visible(1, "b", start);
        freshness.accepted(1, "b", start + Duration::from_millis(1));
        assert_eq!(freshness.since(1), [0.0]);
        assert_eq!(freshness.finish(Duration::ZERO).await, [5.0, 0.0]);
    }

    #[tokio::test]
    async fn what_was_measured_is_forgotten_once_no_copy_comes_any_more() {
        let freshness = Freshness::default();
        let start = Instant::now();
        for n in 0..4 * FORGET {
            let at = start + Duration::from_millis(n as u64);
            freshness.accepted(0, &n.to_string(), at);
            freshness.visible(0, &n.to_string(), at);
        }
        assert_eq!(freshness.0.lock().by_message.len(), FORGET);
        assert_eq!(freshness.since(0).len(), 4 * FORGET);
    }
}
