//! TLS byte by byte, for what no well-behaved client sends.
use super::node::Endpoints;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

/// `host:port` of a URL.
pub fn address(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/')
}

/// A connection without TLS.
pub fn tcp(url: &str) -> TcpStream {
    let stream = TcpStream::connect(address(url)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// A TLS connection, its handshake not yet done.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Offers one version of TLS and HTTP/1.1.
pub fn tls(endpoints: &Endpoints, url: &str, version: &'static SupportedProtocolVersion) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&endpoints.ca).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), tcp(url))
}

/// What came back for bytes that were sent over TLS 1.3.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// The status of the first answer.
    Status(u16),
    /// The connection was closed without an answer.
    Closed,
}

/// Sends bytes and reads the answer's status. The server may answer before it has read everything.
pub fn send(endpoints: &Endpoints, url: &str, bytes: &[u8]) -> Reply {
    let mut stream = tls(endpoints, url, &rustls::version::TLS13);
    for chunk in bytes.chunks(16 << 10) {
        if stream.write_all(chunk).is_err() {
            break;
        }
    }
    let _ = stream.flush();
    status(&mut stream)
}

/// Reads the status line; anything that is not one counts as closed.
pub fn status(stream: &mut Tls) -> Reply {
    let mut read = Vec::new();
    let mut byte = [0; 1];
    while read.len() < 64 && !read.ends_with(b"\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => read.push(byte[0]),
            _ => break,
        }
    }
    let line = String::from_utf8_lossy(&read);
    match line.strip_prefix("HTTP/1.1 ").or(line.strip_prefix("HTTP/1.0 ")).and_then(|rest| rest.get(..3)) {
        Some(code) => Reply::Status(code.parse().unwrap()),
        None => Reply::Closed,
    }
}

/// A request as bytes.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    [text.as_bytes(), b"\r\n", body].concat()
}
