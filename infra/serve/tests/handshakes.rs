//! Who gets a connection, who does not, and how those are counted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper that fails fails its test")]
mod support;
use axum::{Router, extract::ConnectInfo, routing::get};
use rustls::{
    CipherSuite, ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use serve::Limits;
use std::{net::SocketAddr, sync::Arc};
use support::{Running, connect_with, get_h2, over_http1, start, start_with_tls12, text, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn api() -> Router {
    Router::new().route("/who", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
}

/// A client that trusts the listener's CA and offers these versions, with every suite of the library.
fn client(running: &Running, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(running.tls_dir.path().join("ca.pem")).unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Sends `bytes` and returns all that comes back.
async fn talk(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    answer
}

/// A ClientHello of a version that no library of ours speaks: two suites, no extensions.
fn old_hello(minor: u8) -> Vec<u8> {
    let mut body = vec![3, minor];
    body.extend([5; 32]);
    body.extend([0, 0, 4, 0, 0x2f, 0, 0x35, 1, 0]);
    let length = u8::try_from(body.len()).unwrap();
    [&[22, 3, minor.min(1), 0, length + 4, 1, 0, 0, length], &body[..]].concat()
}

#[tokio::test]
async fn tls_1_3_is_accepted_with_both_kinds_of_http() {
    let running = start(api(), Limits::default()).await;
    let stream = running.connect(&["http/1.1"]).await.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    let suite = session.negotiated_cipher_suite().unwrap().suite();
    assert!([CipherSuite::TLS13_AES_256_GCM_SHA384, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256].contains(&suite));
    let mut http1 = over_http1(stream).await;
    let answer = text(http1.send_request(support::get("/who")).await.unwrap()).await;
    assert_eq!(answer, (hyper::StatusCode::OK, "127.0.0.1".to_owned()));

    let mut http2 = running.http2().await;
    let answer = http2.send_request(get_h2("/who")).await.unwrap();
    assert_eq!(answer.version(), hyper::Version::HTTP_2);
    assert_eq!(text(answer).await.1, "127.0.0.1");

    // Without a word on the protocol it is HTTP/1; who offers both gets HTTP/2.
    let mut silent = over_http1(running.connect(&[]).await.unwrap()).await;
    assert_eq!(text(silent.send_request(support::get("/who")).await.unwrap()).await.1, "127.0.0.1");
    let mut both = running.connect(&["http/1.1", "h2"]).await.unwrap();
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    // The server's settings: its side of the handshake has ended too.
    within(both.read_u8()).await.unwrap();

    assert_eq!(running.metrics.accepted(), 4);
    drop((http1, http2, silent, both));
    let (metrics, _) = running.finish().await;
    assert_eq!(metrics.open(), 0);
}

#[tokio::test]
async fn tls_1_2_is_refused_and_counted() {
    let running = start(api(), Limits::default()).await;
    let refusal = connect_with(running.address, client(&running, &[&TLS12]), "localhost").await.unwrap_err();
    assert!(refusal.to_string().contains("ProtocolVersion"), "{refusal}");
    let (metrics, _) = running.finish().await;
    assert_eq!(metrics.refused()[0], ("tls1.2", 1));
    assert_eq!(metrics.accepted(), 0);
}

#[tokio::test]
async fn an_exception_lets_tls_1_2_in_and_is_counted() {
    let running = start_with_tls12(api()).await;
    let stream = connect_with(running.address, client(&running, &[&TLS12]), "localhost").await.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let suite = format!("{:?}", session.negotiated_cipher_suite().unwrap().suite());
    assert!(suite.starts_with("TLS_ECDHE_") && (suite.contains("_GCM_") || suite.contains("_POLY1305_")), "{suite}");
    let answer = text(over_http1(stream).await.send_request(support::get("/who")).await.unwrap()).await;
    assert_eq!(answer, (hyper::StatusCode::OK, "127.0.0.1".to_owned()));
    // Who speaks both gets the better one.
    let both = connect_with(running.address, client(&running, &[&TLS12, &TLS13]), "localhost").await.unwrap();
    assert_eq!(both.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    // Its answer says that the server's side of the handshake has ended too.
    let answer = text(over_http1(both).await.send_request(support::get("/who")).await.unwrap()).await;
    assert_eq!(answer.0, hyper::StatusCode::OK);
    assert_eq!((running.metrics.accepted(), running.metrics.accepted_with_tls12()), (2, 1));
    // Of 1.2 the suites without ephemeral keys stay out, and so does what is older.
    for (minor, version) in [(3, "tls1.2"), (2, "tls1.1"), (1, "tls1.0")] {
        assert_eq!(talk(running.address, &old_hello(minor)).await.first(), Some(&21), "an alert");
        assert_eq!(running.refused(version), 1);
    }
    assert_eq!(running.metrics.accepted(), 2);
    running.metrics.set_tls12_exception(true);
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &running.registry).unwrap();
    for line in [
        r#"chatmai_tls_handshakes_accepted_total{listener="api",version="tls1.2"} 1"#,
        r#"chatmai_tls12_exception{listener="api"} 1"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line} in {page}");
    }
}

#[tokio::test]
async fn older_clients_are_counted_by_version() {
    let running = start(api(), Limits::default()).await;
    for (minor, version, times) in [(3, "tls1.2", 1), (2, "tls1.1", 2), (1, "tls1.0", 3), (0, "ssl3", 4)] {
        for _ in 0..times {
            let answer = talk(running.address, &old_hello(minor)).await;
            assert_eq!(answer.first(), Some(&21), "an alert");
            assert_eq!(answer.len(), 7, "and nothing else");
        }
        assert_eq!(running.refused(version), times);
    }
    // Noise with a handshake's first byte, and SSL 2.
    talk(running.address, &[22, 9, 9, 0, 1, 0]).await;
    assert_eq!(talk(running.address, &[0x80, 0x2e, 1, 3, 1, 0, 0]).await, b"");
    let (metrics, mut registry) = running.finish().await;
    assert_eq!(
        metrics.refused(),
        [("tls1.2", 1), ("tls1.1", 2), ("tls1.0", 3), ("ssl3", 4), ("plain", 0), ("unknown", 2)]
    );
    let ingest = metrics.beside("ingest");
    assert!(ingest.refused().iter().all(|(_, count)| *count == 0));
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
    for line in [
        r#"chatmai_tls_handshakes_refused_total{listener="api",version="tls1.0"} 3"#,
        r#"chatmai_tls_handshakes_refused_total{listener="ingest",version="tls1.2"} 0"#,
        r#"chatmai_tls_connections_open{listener="ingest"} 0"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line} in {page}");
    }
    assert_eq!(page.matches("# TYPE chatmai_tls_handshakes_refused ").count(), 1);
    registry.register(
        "other",
        "The registry is the caller's",
        prometheus_client::metrics::counter::Counter::<u64>::default(),
    );
}

#[tokio::test]
async fn http_in_clear_gets_no_byte() {
    let running = start(api(), Limits::default()).await;
    for request in ["GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "P"] {
        assert_eq!(talk(running.address, request.as_bytes()).await, b"", "{request}");
    }
    assert_eq!(running.refused("plain"), 3);
    assert_eq!(running.metrics.accepted(), 0);
}

#[tokio::test]
async fn our_client_refuses_a_wrong_name_and_a_foreign_ca() {
    let running = start(api(), Limits::default()).await;
    for name in ["example.com", "127.0.0.2", "localhost.example.com"] {
        let refusal = connect_with(running.address, (*running.client).clone(), name).await.unwrap_err();
        assert!(refusal.to_string().contains("not valid for name"), "{refusal}");
    }
    for name in ["127.0.0.1", "::1"] {
        connect_with(running.address, (*running.client).clone(), name).await.unwrap();
    }
    let other = start(api(), Limits::default()).await;
    let refusal = connect_with(running.address, (*other.client).clone(), "localhost").await.unwrap_err();
    assert!(refusal.to_string().contains("invalid peer certificate"), "{refusal}");
    let (metrics, _) = running.finish().await;
    // These clients spoke TLS 1.3: none of them is lost to a version.
    assert!(metrics.refused().iter().all(|(_, count)| *count == 0));
}

#[tokio::test]
async fn a_probe_of_the_port_is_no_refusal() {
    let running = start(api(), Limits::default()).await;
    let mut probe = TcpStream::connect(running.address).await.unwrap();
    probe.shutdown().await.unwrap();
    let mut answer = Vec::new();
    within(probe.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"");
    assert_eq!(running.failed("silent"), 1);
    assert!(running.metrics.refused().iter().all(|(_, count)| *count == 0));
}
