//! What the listeners speak: TLS 1.3 and nothing else; in clear only the loopback's operations.
use crate::harness::{metrics::samples, raw, raw::Reply, world::World};
use std::io::{Read, Write};

#[test]
fn tls_1_2_is_refused_and_counted_and_plain_http_gets_no_byte() {
    let world = World::start(&[]);
    let endpoints = world.endpoints();
    let get = raw::request("GET", "/openapi.json", &[], b"");
    for url in [&endpoints.ingest, &endpoints.api] {
        let mut old = raw::tls(endpoints, url, &rustls::version::TLS12);
        let refused = old.write_all(&get).and_then(|()| old.flush()).and_then(|()| old.read(&mut [0; 1]));
        assert!(!matches!(refused, Ok(n) if n > 0), "{url} spoke TLS 1.2");

        for bytes in [&get[..], b"\r\n\r\n", b"\x80\x2e\x01\x03\x01", &[0; 300]] {
            let mut plain = raw::tcp(url);
            plain.write_all(bytes).unwrap();
            let _ = plain.shutdown(std::net::Shutdown::Write);
            let mut said = Vec::new();
            let _ = plain.read_to_end(&mut said);
            // A TLS alert (21) is no byte of the API.
            assert!(said.is_empty() || (said[0] == 21 && said.len() <= 7), "{url} said {said:?} in clear");
        }
        let expected = if url == &endpoints.api { 200 } else { 404 };
        assert_eq!(raw::send(endpoints, url, &get), Reply::Status(expected), "TLS 1.3 on {url}");
    }
    let refused = |version: &str| {
        let of = |name: &str| name.starts_with("chatmai_tls_handshakes_refused") && name.contains(version);
        samples(endpoints).iter().filter(|(name, _)| of(name)).map(|(_, n)| n).sum::<f64>()
    };
    assert_eq!(refused("tls1.2"), 2.0);
    assert!(refused("plain") >= 2.0);
    let ready = crate::harness::client::Client::plain().get(&format!("{}/readyz", endpoints.operations), &[]).unwrap();
    assert!(ready.text().contains("1.2"), "readiness says nothing of the refused clients: {}", ready.text());
    assert!(raw::address(&endpoints.operations).starts_with("127.0.0.1:"));
}

#[test]
fn the_operations_listener_is_loopback_only() {
    let world = World::at(tempfile::tempdir().unwrap(), "data", &[("listen.operations", "0.0.0.0:0")]);
    let outcome = world.run(&["up"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}
