//! What the listeners speak: TLS 1.3 and nothing else; in clear only the loopback's operations.
use crate::harness::{line, metrics::samples, now, raw, raw::Reply, sign, world::World};
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
fn a_written_exception_lets_tls_1_2_to_the_webhooks_and_nowhere_else() {
    let reason = "the platform speaks no better";
    let world = World::start(&[("webhooks.tls12_exception", reason)]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let endpoints = world.endpoints();
    let body = account.body(&[line::text("1", &line::user(1), "hi", now())]);
    let (name, value) = sign::line(&account.secret, &body);
    let post = raw::request("POST", &account.path, &[(name, &value)], &body);
    let mut old = raw::tls(endpoints, &endpoints.ingest, &rustls::version::TLS12);
    old.write_all(&post).unwrap();
    old.flush().unwrap();
    assert_eq!(raw::status(&mut old), Reply::Status(200), "TLS 1.2 under the exception");
    assert_eq!(raw::send(endpoints, &endpoints.ingest, &post), Reply::Status(200), "TLS 1.3 goes on");
    let mut api = raw::tls(endpoints, &endpoints.api, &rustls::version::TLS12);
    let get = raw::request("GET", "/openapi.json", &[], b"");
    let refused = api.write_all(&get).and_then(|()| api.flush()).and_then(|()| api.read(&mut [0; 1]));
    assert!(!matches!(refused, Ok(n) if n > 0), "the API spoke TLS 1.2");

    let ready = crate::harness::client::Client::plain().get(&format!("{}/readyz", endpoints.operations), &[]).unwrap();
    assert!(ready.status == 200 && ready.text().contains(reason), "{}", ready.text());
    let samples = samples(endpoints);
    let value = |name: &str| samples.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
    assert_eq!(value(r#"chatmai_tls12_exception{listener="ingest"}"#), Some(1.0), "{samples:?}");
    assert_eq!(value(r#"chatmai_tls12_exception{listener="api"}"#), Some(0.0));
    assert_eq!(value(r#"chatmai_tls_handshakes_accepted_total{listener="ingest",version="tls1.2"}"#), Some(1.0));
    assert_eq!(value(r#"chatmai_tls_handshakes_refused_total{listener="api",version="tls1.2"}"#), Some(1.0));
    assert!(
        world.node.log().lines().any(|line| line.contains("WARN") && line.contains("tls12_exception")),
        "a warning"
    );
    assert!(world.run(&["config"]).stdout.contains(&format!("tls12_exception = \"{reason}\"")));
}

#[test]
fn the_operations_listener_is_loopback_only() {
    let world = World::at(tempfile::tempdir().unwrap(), "data", &[("listen.operations", "0.0.0.0:0")]);
    let outcome = world.run(&["up"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}
