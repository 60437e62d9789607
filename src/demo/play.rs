//! Sends the posts, over several connections at once.
use super::{
    check::Expectation,
    client::{Client, Server},
    freshness::Freshness,
    stage::Stage,
    traffic::{Fact, Post, Target, Traffic},
};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use indicatif::ProgressBar;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinSet};

/// Connections at once when posts go as fast as they are taken.
const CONNECTIONS: usize = 8;
/// Connections at once at a given rate: enough that a slow answer does not hold up the posts that are due.
const CONNECTIONS_AT_RATE: usize = 64;
/// Waves of traffic that are made before they are due.
const WAVES_AHEAD: usize = 4;
/// How often a post is sent again that was not acknowledged, as platforms do.
const ATTEMPTS: u32 = 50;

/// What was played.
#[derive(Default)]
pub struct Played {
    /// What must come back.
    pub expectation: Expectation,
    /// Time to the answer of each post, in milliseconds.
    pub answers: Vec<f64>,
    /// Posts with a forged signature that were refused.
    pub refused: u64,
}

impl Played {
    /// Bytes that are kept for all this, nearly: the client's part of a process's memory.
    pub fn bytes(&self) -> u64 {
        self.expectation.bytes() + (self.answers.capacity() * size_of::<f64>()) as u64
    }
}

struct Player {
    paths: Vec<String>,
    freshness: Freshness,
    progress: ProgressBar,
    played: Arc<Mutex<Played>>,
}

/// Plays all of the traffic into `played`; `rate`: so many events a second, whatever the node takes.
///
/// # Errors
/// When a post is not answered as it should be.
pub async fn play(
    traffic: Traffic,
    ingest: &Server,
    stage: &Stage,
    freshness: &Freshness,
    progress: &ProgressBar,
    rate: Option<u32>,
    played: Arc<Mutex<Played>>,
) -> Result<(), String> {
    let player = Arc::new(Player {
        paths: stage.places.iter().map(|place| place.line_path.clone()).collect(),
        freshness: freshness.clone(),
        progress: progress.clone(),
        played,
    });
    let (sender, posts) = mpsc::channel::<(Post, Option<Instant>)>(64);
    let posts = Arc::new(tokio::sync::Mutex::new(posts));
    let mut workers = JoinSet::new();
    for _ in 0..rate.map_or(CONNECTIONS, |_| CONNECTIONS_AT_RATE) {
        // Platforms keep their connections: dozens of handshakes at once are no part of an answer.
        let mut client = ingest.connected().await.map_err(|error| error.to_string())?;
        let (player, posts) = (player.clone(), posts.clone());
        workers.spawn(async move {
            loop {
                let post = posts.lock().await.recv().await;
                let Some((post, due)) = post else { return Ok(()) };
                player.send(&mut client, post, due).await?;
            }
        });
    }
    // The workers let go of it when one of them fails.
    drop(posts);
    // Made ahead, so that making and signing a wave keeps no post that is due from going out.
    let (made, mut waves) = mpsc::channel(WAVES_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut traffic = traffic;
        while let Some(wave) = traffic.next_wave() {
            if made.blocking_send(wave).is_err() {
                return;
            }
        }
    });
    workers.spawn(async move {
        let mut next = waves.recv().await;
        let started = Instant::now();
        let mut sent = 0;
        while let Some(wave) = next {
            for post in wave {
                let due = rate.map(|rate| started + Duration::from_secs_f64(f64::from(sent) / f64::from(rate.max(1))));
                if let Some(due) = due {
                    tokio::time::sleep_until(due.into()).await;
                }
                sent += u32::try_from(post.sent.len()).unwrap_or(u32::MAX);
                if sender.send((post, due)).await.is_err() {
                    return Ok(());
                }
            }
            next = waves.recv().await;
        }
        Ok(())
    });
    while let Some(ended) = workers.join_next().await {
        ended.unwrap_or_else(|_| Err("the player has panicked".to_owned()))?;
    }
    Ok(())
}

impl Player {
    async fn send(&self, client: &mut Client, post: Post, due: Option<Instant>) -> Result<(), String> {
        let path = match post.target {
            Target::Line(shop) => &self.paths[shop],
            Target::Facebook => "/webhooks/facebook",
        };
        let body = Bytes::from(post.body);
        let headers = [("content-type", "application/json"), (post.signature.0, post.signature.1.as_str())];
        for attempt in 0..ATTEMPTS {
            let began = due.unwrap_or_else(Instant::now);
            let answer = client.send(Method::POST, path, &headers, body.clone()).await;
            let now = Instant::now();
            match answer.map(|(status, _)| status) {
                Ok(StatusCode::OK) if !post.forged => {
                    let mut played = self.played.lock();
                    played.answers.push((now - began).as_secs_f64() * 1000.0);
                    for sent in &post.sent {
                        played.expectation.add(sent);
                        if let Fact::Message { id, .. } = &sent.fact {
                            self.freshness.accepted(sent.shop, id, now);
                        }
                    }
                    drop(played);
                    self.progress.inc(post.sent.len() as u64);
                    return Ok(());
                }
                Ok(StatusCode::UNAUTHORIZED) if post.forged => {
                    self.played.lock().refused += 1;
                    return Ok(());
                }
                // Not acknowledged: the platform sends again.
                Ok(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) | Err(_) => {
                    tokio::time::sleep(Duration::from_millis(u64::from(attempt + 1) * 20)).await;
                }
                Ok(other) => return Err(format!("a webhook was answered with {other}")),
            }
        }
        Err("a webhook was not acknowledged in many attempts".into())
    }
}

/// Facebook's handshake, as its dashboard does it.
///
/// # Errors
/// When the challenge does not come back, or comes back for a wrong token.
pub async fn handshake(ingest: &Server, verify_token: &str) -> Result<(), String> {
    let mut client = ingest.client();
    for (token, right) in [(verify_token, true), ("wrong", false)] {
        let path = format!("/webhooks/facebook?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
        let answer = client.send(Method::GET, &path, &[], Bytes::new()).await.map_err(|error| error.to_string())?;
        let echoed = answer.0 == StatusCode::OK && answer.1 == "1158201444";
        if echoed != right {
            return Err(format!("Facebook's handshake was answered with {}", answer.0));
        }
    }
    Ok(())
}
