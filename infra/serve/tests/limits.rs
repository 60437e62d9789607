//! Clients that ask for too much, or take too long. Each test waits for an act of the server; where time passes, more of it
//! changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper that fails fails its test")]
mod support;
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderValue},
    routing::{get, post},
};
use futures::future::join_all;
use hyper::StatusCode;
use serve::Limits;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use support::{get_h2, start, text, within};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, mpsc},
};

const SHORT: Duration = Duration::from_millis(100);

fn api() -> Router {
    Router::new()
        .route("/size", get(|headers: HeaderMap| async move { headers.len().to_string() }))
        .route("/body", post(|body: Bytes| async move { body.len().to_string() }))
}

/// Reads until the server closes, in whichever way.
async fn rest(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = within(stream.read_to_end(&mut all)).await;
    all
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut() {
    let running = start(api(), Limits { handshake_timeout: SHORT, ..Limits::default() }).await;
    assert_eq!(rest(TcpStream::connect(running.address).await.unwrap()).await, b"");
    let mut half = TcpStream::connect(running.address).await.unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
    assert_eq!(rest(half).await, b"");
    assert_eq!(running.failed("timeout"), 2);
}

#[tokio::test]
async fn a_client_that_asks_nothing_after_its_handshake_is_cut() {
    let running = start(api(), Limits { header_timeout: SHORT, ..Limits::default() }).await;
    for alpn in ["http/1.1", "h2"] {
        let answer = rest(running.connect(&[alpn]).await.unwrap()).await;
        // HTTP/2 opens with the server's settings; neither gets an answer.
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{alpn}");
    }
}

#[tokio::test]
async fn headers_without_an_end_are_cut() {
    let running = start(api(), Limits { header_timeout: SHORT, ..Limits::default() }).await;
    let (mut read, mut write) = tokio::io::split(running.connect(&["http/1.1"]).await.unwrap());
    // Byte by byte, for as long as the server listens.
    let drip = tokio::spawn(async move {
        write.write_all(b"GET /size HTTP/1.1\r\nhost: localhost\r\nx: ").await.unwrap();
        while write.write_all(b"a").await.is_ok() && write.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let answer = rest(&mut read).await;
    assert!(!answer.starts_with(b"HTTP/1.1 2"));
    drip.abort();
}

#[tokio::test]
async fn headers_beyond_16_kib_are_refused() {
    let running = start(api(), Limits::default()).await;
    for (size, fits) in [(15 * 1024, true), (17 * 1024, false), (300 * 1024, false)] {
        let value: HeaderValue = "a".repeat(size).parse().unwrap();
        let (mut first, mut second) = (support::get("/size"), get_h2("/size"));
        first.headers_mut().insert("x", value.clone());
        second.headers_mut().insert("x", value);
        let answers = [
            within(running.http1().await.send_request(first)).await,
            within(running.http2().await.send_request(second)).await,
        ];
        let [http1, http2] = answers;
        let expected = if fits { StatusCode::OK } else { StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE };
        assert_eq!(http1.unwrap().status(), expected, "{size}");
        match http2 {
            Ok(answer) => assert_eq!(answer.status(), expected, "{size}"),
            // Far beyond the limit the library ends the connection without an answer.
            Err(error) => assert!(!fits, "{size}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_fails_its_handler() {
    let running = start(api(), Limits { body_timeout: SHORT, ..Limits::default() }).await;
    let mut stream = running.connect(&["http/1.1"]).await.unwrap();
    stream.write_all(b"POST /body HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
    stream.flush().await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_connection_of_http2_ends_when_idle_but_not_while_a_request_runs() {
    let release = Arc::new(Notify::new());
    let held = release.clone();
    let (entered, mut entries) = mpsc::unbounded_channel();
    let router = Router::new().route(
        "/held",
        get(move || async move {
            entered.send(()).unwrap();
            held.notified().await;
            "held"
        }),
    );
    let limits = Limits { idle_timeout: SHORT, ..Limits::default() };
    let running = start(router, limits).await;
    let mut client = running.http2().await;
    let answer = tokio::spawn(client.send_request(get_h2("/held")));
    within(entries.recv()).await.unwrap();
    // The running request is three times older than an idle connection becomes.
    tokio::time::sleep(SHORT * 3).await;
    release.notify_one();
    assert_eq!(text(within(answer).await.unwrap().unwrap()).await.1, "held");
    // Then the server says goodbye by itself.
    while within(client.ready()).await.is_ok() && !client.is_closed() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn beyond_the_limit_clients_wait_for_a_connection() {
    let running = start(api(), Limits { connections: 1, ..Limits::default() }).await;
    let mut first = running.http1().await;
    assert_eq!(text(first.send_request(support::get("/size")).await.unwrap()).await.0, StatusCode::OK);
    // The kernel takes the second connection, the server does not: its handshake cannot end before the first is gone.
    let second = running.connect(&["http/1.1"]);
    tokio::pin!(second);
    assert!(futures::poll!(second.as_mut()).is_pending());
    assert_eq!(running.metrics.accepted(), 1);
    assert_eq!(text(first.send_request(support::get("/size")).await.unwrap()).await.0, StatusCode::OK);
    assert_eq!((running.metrics.accepted(), running.metrics.open()), (1, 1));
    drop(first);
    let mut second = support::over_http1(within(second).await.unwrap()).await;
    assert_eq!(text(second.send_request(support::get("/size")).await.unwrap()).await.0, StatusCode::OK);
    assert_eq!(running.metrics.accepted(), 2);
}

#[tokio::test]
async fn one_address_gets_a_part_of_the_connections() {
    let running = start(api(), Limits { connections_per_address: 1, ..Limits::default() }).await;
    let mut first = running.http1().await;
    assert_eq!(text(first.send_request(support::get("/size")).await.unwrap()).await.0, StatusCode::OK);
    assert!(running.connect(&["http/1.1"]).await.is_err(), "closed before a handshake");
    assert_eq!((running.metrics.accepted(), running.metrics.open()), (1, 1));
    drop(first);
    // Closing takes the server a moment.
    within(async { while running.connect(&["http/1.1"]).await.is_err() {} }).await;
}

#[tokio::test]
async fn streams_of_one_connection_are_limited() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let router = Router::new().route(
        "/",
        get(move || async move {
            seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
        }),
    );
    let running = start(router, Limits { streams: 2, ..Limits::default() }).await;
    let client = running.http2().await;
    // The first answer comes after the server's settings: from then on the client keeps to them.
    client.clone().send_request(get_h2("/")).await.unwrap();
    let answers = join_all((0..20).map(|_| {
        let mut client = client.clone();
        async move { client.send_request(get_h2("/")).await }
    }));
    assert!(within(answers).await.iter().all(Result::is_ok));
    assert!(most.load(Ordering::SeqCst) <= 2);
}
