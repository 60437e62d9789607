//! How a listener ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper that fails fails its test")]
mod support;
use axum::{Router, routing::get};
use serve::Limits;
use std::{sync::Arc, time::Duration};
use support::{get_h2, start, start_until, text, within};
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
};

/// A handler that says when it was entered and answers when it is let go.
fn held() -> (Router, mpsc::UnboundedReceiver<()>, Arc<Notify>) {
    let release = Arc::new(Notify::new());
    let (entered, entries) = mpsc::unbounded_channel();
    let gate = release.clone();
    let router = Router::new().route("/free", get(|| async { "free" })).route(
        "/held",
        get(move || async move {
            entered.send(()).unwrap();
            gate.notified().await;
            "held"
        }),
    );
    (router, entries, release)
}

#[tokio::test]
async fn running_requests_are_answered_and_nothing_more_is_accepted() {
    let (router, mut entries, release) = held();
    let running = start(router, Limits::default()).await;
    let (mut http1, mut http2, mut idle) = (running.http1().await, running.http2().await, running.http1().await);
    text(idle.send_request(support::get("/free")).await.unwrap()).await;
    let first = tokio::spawn(http1.send_request(support::get("/held")));
    let second = tokio::spawn(http2.send_request(get_h2("/held")));
    entries.recv().await.unwrap();
    entries.recv().await.unwrap();

    let address = running.address;
    running.stop.send(()).unwrap();
    // The idle connection closes at once, which also says that the shutdown has begun.
    while within(idle.ready()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(!running.served.is_finished());

    release.notify_waiters();
    let answer = within(first).await.unwrap().unwrap();
    assert_eq!(answer.headers().get("connection").unwrap(), "close");
    assert_eq!(text(answer).await.1, "held");
    assert_eq!(text(within(second).await.unwrap().unwrap()).await.1, "held");
    within(running.served).await.unwrap();
    assert_eq!(running.metrics.open(), 0);
}

#[tokio::test]
async fn what_takes_longer_than_the_deadline_is_cut() {
    let (router, mut entries, _release) = held();
    let running = start_until(router, Limits::default(), Duration::from_millis(50)).await;
    let mut client = running.http1().await;
    let answer = tokio::spawn(client.send_request(support::get("/held")));
    entries.recv().await.unwrap();
    running.stop.send(()).unwrap();
    within(running.served).await.unwrap();
    assert!(within(answer).await.unwrap().is_err());
}

#[tokio::test]
async fn a_handshake_that_has_not_ended_holds_nothing_up() {
    let (router, _entries, _release) = held();
    let running = start(router, Limits::default()).await;
    let _silent = TcpStream::connect(running.address).await.unwrap();
    // A full exchange on a later connection: the silent one has been accepted by then.
    text(running.http1().await.send_request(support::get("/free")).await.unwrap()).await;
    running.finish().await;
}

#[tokio::test]
async fn a_panic_costs_its_own_connection_only() {
    let router = Router::new().route("/free", get(|| async { "free" })).route("/broken", get(broken));
    let running = start(router, Limits::default()).await;
    assert!(within(running.http1().await.send_request(support::get("/broken"))).await.is_err());
    assert_eq!(text(running.http1().await.send_request(support::get("/free")).await.unwrap()).await.1, "free");
}

async fn broken() -> &'static str {
    panic!("on purpose")
}
