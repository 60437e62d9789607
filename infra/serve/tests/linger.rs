//! A client that is refused while it still sends learns why, and cannot keep the listener by sending on. Each test waits for
//! an act of the server; where time passes, more of it changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper that fails fails its test")]
mod support;
use axum::{Router, body::Bytes, extract::DefaultBodyLimit, routing::post};
use http_body_util::Full;
use hyper::{Request, StatusCode};
use serve::{Limits, Linger};
use std::time::Duration;
use support::{Running, start, start_until, text, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

const MIB: usize = 1 << 20;
const SHORT: Duration = Duration::from_millis(100);
/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(3600);

/// One handler refuses unread, one reads a mebibyte first.
fn api() -> Router {
    Router::new()
        .route("/unread", post(|| async { StatusCode::PAYLOAD_TOO_LARGE }))
        .route("/limited", post(|body: Bytes| async move { body.len().to_string() }))
        .layer(DefaultBodyLimit::max(MIB))
}

fn lingering(linger: Linger) -> Limits {
    Limits { linger, ..Limits::default() }
}

fn head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
}

/// A connection that got its refusal and has not closed.
async fn refused(running: &Running) -> TlsStream<TcpStream> {
    let mut stream = running.connect(&["http/1.1"]).await.unwrap();
    stream.write_all(head("/unread", 1 << 40).as_bytes()).await.unwrap();
    stream.write_all(&[b'x'; 100]).await.unwrap();
    stream.flush().await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 413"));
    stream
}

/// All that the server says until it says that no more will come.
async fn answer(stream: &mut TlsStream<TcpStream>) -> String {
    let mut all = Vec::new();
    within(stream.read_to_end(&mut all)).await.expect("the answer is whole, and ends in order");
    String::from_utf8(all).unwrap()
}

/// Sends until the server has closed for good; how many bytes it took.
async fn send_on(stream: &mut TlsStream<TcpStream>, bytes: &[u8], pause: Duration) -> usize {
    let mut sent = 0;
    while stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok() {
        sent += bytes.len();
        tokio::time::sleep(pause).await;
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_everything_before_reading_still_gets_the_answer() {
    let running = start(api(), Limits::default()).await;
    for path in ["/unread", "/limited"] {
        for size in [2 * MIB, 10 * MIB, 30 * MIB] {
            let mut stream = running.connect(&["http/1.1"]).await.unwrap();
            let request = [head(path, size).into_bytes(), vec![b'x'; size]].concat();
            within(stream.write_all(&request)).await.unwrap_or_else(|error| panic!("{path}, {size} bytes: {error}"));
            within(stream.flush()).await.unwrap();
            let answer = answer(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{path}, {size} bytes: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_measure_are_answered_too() {
    let running = start(api(), Limits::default()).await;
    let mut stream = running.connect(&["http/1.1"]).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "a".repeat(4 * MIB));
    within(stream.write_all(request.as_bytes())).await.unwrap();
    within(stream.flush()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn over_http2_a_large_body_is_refused_alone() {
    let running = start(api(), Limits::default()).await;
    let mut client = running.http2().await;
    for path in ["/unread", "/limited"] {
        let body = Full::new(Bytes::from(vec![b'x'; 10 * MIB]));
        let request = Request::post(format!("https://localhost{path}")).body(body).unwrap();
        let answer = within(client.send_request(request)).await.unwrap();
        assert_eq!(text(answer).await.0, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    let small = Request::post("https://localhost/limited").body(Full::new(Bytes::from_static(b"four"))).unwrap();
    assert_eq!(text(within(client.send_request(small)).await.unwrap()).await, (StatusCode::OK, "4".to_owned()));
    assert_eq!(running.metrics.accepted(), 1);
}

#[tokio::test]
async fn no_more_is_taken_than_the_limit() {
    let limits = lingering(Linger { bytes: MIB, time: FOREVER, quiet: FOREVER });
    let running = start(api(), limits).await;
    let mut stream = refused(&running).await;
    let sent = within(send_on(&mut stream, &[b'x'; 0x4000], Duration::ZERO)).await;
    // What the kernel holds on both sides comes on top.
    assert!((MIB / 2..40 * MIB).contains(&sent), "{sent} bytes were taken");
}

#[tokio::test]
async fn who_drips_on_is_cut_in_time() {
    let limits = lingering(Linger { time: SHORT, quiet: FOREVER, ..Linger::default() });
    let running = start(api(), limits).await;
    let mut stream = refused(&running).await;
    within(send_on(&mut stream, b"x", Duration::from_millis(5))).await;
}

#[tokio::test]
async fn who_says_nothing_more_and_stays_is_cut_sooner() {
    let limits = lingering(Linger { quiet: SHORT, time: FOREVER, ..Linger::default() });
    let running = start(api(), limits).await;
    let stream = refused(&running).await;
    within(async {
        while running.metrics.open() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    drop(stream);
}

#[tokio::test]
async fn lingering_does_not_hold_a_shutdown_up() {
    let limits = lingering(Linger { quiet: FOREVER, time: FOREVER, ..Linger::default() });
    let running = start_until(api(), limits, FOREVER).await;
    let stream = refused(&running).await;
    assert_eq!(running.metrics.open(), 1);
    running.finish().await;
    drop(stream);
}
