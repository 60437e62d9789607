//! Sizes, times and methods: what is too much is refused before it is buffered.
use crate::harness::{
    line, now,
    raw::{self, Reply},
    sign, wait_until,
    world::World,
};
use std::{
    io::Write,
    time::{Duration, Instant},
};

const MIB: usize = 1 << 20;

#[test]
fn bodies_end_at_one_mebibyte_counted_or_chunked() {
    let world = World::start(&[]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let endpoints = world.endpoints();
    // Exactly 1 MiB is taken: a message with a text that fills it up.
    let empty = account.body(&[line::text("1", &line::user(1), "", now())]).len();
    let full = account.body(&[line::text("1", &line::user(1), &"x".repeat(MIB - empty), now())]);
    assert_eq!(full.len(), MIB);
    assert_eq!(account.post(endpoints, &endpoints.client, &full).unwrap(), 200);
    let over = [&full[..], b" "].concat();
    let (name, value) = sign::line(&account.secret, &over);
    let request = raw::request("POST", &account.path, &[(name, &value)], &over);
    assert_eq!(raw::send(endpoints, &endpoints.ingest, &request), Reply::Status(413));
    // A length that only promises: the answer must not wait for the bytes.
    let head =
        format!("POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999999\r\n{name}: {value}\r\n\r\n", account.path);
    assert_eq!(raw::send(endpoints, &endpoints.ingest, head.as_bytes()), Reply::Status(413));
    // Chunks without an end.
    let mut stream = raw::tls(endpoints, &endpoints.ingest, &rustls::version::TLS13);
    let head =
        format!("POST {} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n{name}: {value}\r\n\r\n", account.path);
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 64 * MIB && stream.write_all(&chunk).is_ok() {
        sent += 0x4000;
    }
    assert!(sent < 64 * MIB, "64 MiB of chunks were taken");
    assert!(matches!(raw::status(&mut stream), Reply::Status(413) | Reply::Closed));
    let mut stream = raw::tls(endpoints, &endpoints.ingest, &rustls::version::TLS13);
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..=MIB / 0x4000 {
        stream.write_all(&chunk).unwrap();
    }
    stream.flush().unwrap();
    assert_eq!(raw::status(&mut stream), Reply::Status(413), "answered as soon as it is too much");
    let api = world.api(&shop);
    wait_until("the full message", || api.events().len() == 1);
}

#[test]
fn headers_encodings_and_methods_are_refused_by_their_names() {
    let world = World::start(&[]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let endpoints = world.endpoints();
    let body = account.body(&[line::text("1", &line::user(1), "hi", now())]);
    let (name, value) = sign::line(&account.secret, &body);
    let send = |method: &str, path: &str, headers: &[(&str, &str)]| {
        raw::send(endpoints, &endpoints.ingest, &raw::request(method, path, headers, &body))
    };
    let signed = (name, value.as_str());
    let long = "x".repeat(17 << 10);
    assert_eq!(send("POST", &account.path, &[signed, ("x-long", &long)]), Reply::Status(431));
    for encoding in ["gzip", "br", "deflate", "zstd", "identity, gzip"] {
        assert_eq!(
            send("POST", &account.path, &[signed, ("content-encoding", encoding)]),
            Reply::Status(415),
            "{encoding}"
        );
    }
    for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE"] {
        assert_eq!(send(method, &account.path, &[signed]), Reply::Status(405), "{method}");
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        assert_eq!(send(method, "/webhooks/facebook", &[]), Reply::Status(405), "{method}");
    }
    for path in [
        "/",
        "/webhooks",
        "/webhooks/line",
        "/webhooks/line/",
        "/webhooks/line/x/y",
        "/webhooks/line/../line",
        "/metrics",
        "/v1/events",
    ] {
        assert_eq!(send("POST", path, &[signed]), Reply::Status(404), "{path}");
    }
    assert_eq!(send("POST", &account.path, &[signed, ("content-encoding", "identity")]), Reply::Status(200));
    let api = world.api(&shop);
    for (method, path) in [("POST", "/v1/conversations"), ("DELETE", "/v1/events"), ("PUT", "/v1/conversations/counts")]
    {
        let request = raw::request(method, path, &[("authorization", &format!("Bearer {}", shop.key))], b"");
        assert_eq!(raw::send(endpoints, &endpoints.api, &request), Reply::Status(405), "{method} {path}");
    }
    wait_until("the one that was right", || api.events().len() == 1);
}

#[test]
fn slow_clients_are_cut_and_do_not_hold_up_others() {
    let world = World::start(&[("limits.read_timeout", "1s")]);
    let shop = world.workspace("Shop");
    let account = world.line(&shop, "Account");
    let endpoints = world.endpoints();
    let began = Instant::now();
    let mut body = raw::tls(endpoints, &endpoints.ingest, &rustls::version::TLS13);
    let head =
        format!("POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\nx-line-signature: x\r\n\r\n1234", account.path);
    body.write_all(head.as_bytes()).unwrap();
    let mut headers = raw::tls(endpoints, &endpoints.ingest, &rustls::version::TLS13);
    headers.write_all(b"POST /webhooks/facebook HTTP/1.1\r\nhost:").unwrap();
    account.send(endpoints, &[line::text("1", &line::user(1), "meanwhile", now())]);
    assert_eq!(raw::status(&mut body), Reply::Status(408), "a slow client's body");
    let reply = raw::status(&mut headers);
    assert!(matches!(reply, Reply::Status(408) | Reply::Closed), "a slow client's headers: {reply:?}");
    assert!(began.elapsed() < Duration::from_secs(25), "a slow client was kept for {:?}", began.elapsed());
}
