//! A listener with its own CA, and clients for it.
#![allow(dead_code, reason = "each test file uses a part")]
use axum::Router;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, client::conn::http1, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prometheus_client::registry::Registry;
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
use schemas::clock::SystemClock;
use serve::{
    Limits, ListenerMetrics, ServeError, TlsListener,
    tls::{self, Identity},
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// No test waits for this; it only ends those that hang.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("the test hangs")
}

pub struct Running {
    pub address: SocketAddr,
    pub metrics: ListenerMetrics,
    pub registry: Registry,
    pub client: Arc<ClientConfig>,
    pub stop: oneshot::Sender<()>,
    pub served: JoinHandle<()>,
    pub tls_dir: TempDir,
}

/// Starts a listener that gives up running requests after `deadline`.
pub async fn start_until(router: Router, limits: Limits, deadline: Duration) -> Running {
    start_as(router, limits, deadline, tls::server_config).await
}

/// A listener that takes TLS 1.2 too.
pub async fn start_with_tls12(router: Router) -> Running {
    start_as(router, Limits::default(), Duration::from_secs(60), tls::server_config_with_tls12).await
}

async fn start_as(
    router: Router,
    limits: Limits,
    deadline: Duration,
    config: fn(&Identity) -> Result<Arc<ServerConfig>, ServeError>,
) -> Running {
    let tls_dir = tempfile::tempdir().unwrap();
    let dev = tls::development_identity(tls_dir.path(), &SystemClock).unwrap();
    let mut registry = Registry::default();
    let metrics = ListenerMetrics::new("api", &mut registry);
    let config = config(&dev.identity).unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let listener = TlsListener::bind(any, config, limits, metrics.clone()).await.unwrap();
    let address = listener.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let served = tokio::spawn(listener.serve(router, shutdown, deadline));
    let client = tls::client_config(&dev.ca_certificate).unwrap();
    Running { address, metrics, registry, client, stop, served, tls_dir }
}

pub async fn start(router: Router, limits: Limits) -> Running {
    start_until(router, limits, Duration::from_secs(60)).await
}

impl Running {
    /// A TLS connection that offers `alpn`.
    pub async fn connect(&self, alpn: &[&str]) -> io::Result<TlsStream<TcpStream>> {
        let mut config = (*self.client).clone();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        connect_with(self.address, config, "localhost").await
    }

    pub async fn http1(&self) -> http1::SendRequest<Full<Bytes>> {
        over_http1(self.connect(&["http/1.1"]).await.unwrap()).await
    }

    pub async fn http2(&self) -> http2::SendRequest<Full<Bytes>> {
        let io = TokioIo::new(self.connect(&["h2"]).await.unwrap());
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// How often the listener refused `version`.
    pub fn refused(&self, version: &str) -> u64 {
        self.metrics.refused().iter().find(|(name, _)| *name == version).unwrap().1
    }

    pub fn failed(&self, reason: &str) -> u64 {
        self.metrics.failed().iter().find(|(name, _)| *name == reason).unwrap().1
    }

    /// Ends the listener, and with it every count.
    pub async fn finish(self) -> (ListenerMetrics, Registry) {
        let _ = self.stop.send(());
        within(self.served).await.unwrap();
        (self.metrics, self.registry)
    }
}

pub async fn over_http1(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> http1::SendRequest<Full<Bytes>> {
    let (sender, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub async fn connect_with(address: SocketAddr, config: ClientConfig, name: &str) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

pub fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", "localhost").body(Full::default()).unwrap()
}

/// For HTTP/2, which needs the whole address.
pub fn get_h2(path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("https://localhost{path}")).body(Full::default()).unwrap()
}

pub async fn text(response: Response<Incoming>) -> (StatusCode, String) {
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}
