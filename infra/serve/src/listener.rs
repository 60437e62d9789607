//! The TLS listener.
use crate::{Limits, ListenerMetrics, ServeError, http, tls::handshake::Encrypted};
use axum::Router;
use rustls::ServerConfig;
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// A bound socket that speaks TLS 1.3, and HTTP/1.1 or HTTP/2 within. Clients that connect before
/// [`TlsListener::serve`] wait.
#[derive(Debug)]
pub struct TlsListener {
    listener: TcpListener,
    address: SocketAddr,
    config: Arc<ServerConfig>,
    limits: Limits,
    metrics: ListenerMetrics,
}

impl TlsListener {
    /// Listens on `addr`; port 0 takes any free one. `config` comes from [`crate::tls::server_config`].
    pub async fn bind(
        addr: SocketAddr,
        config: Arc<ServerConfig>,
        limits: Limits,
        metrics: ListenerMetrics,
    ) -> Result<Self, ServeError> {
        let (listener, address) = bind(addr).await?;
        Ok(Self { listener, address, config, limits, metrics })
    }

    /// The address listened on, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` until `shutdown` ends; then accepts nothing more, answers the requests that run, and cuts those
    /// that need longer than `deadline`. A stream of events counts as running: who opens one ends it at shutdown.
    /// Handlers find the client's address as `ConnectInfo<SocketAddr>`.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()> + Send, deadline: Duration) {
        let Self { listener, address: _, config, limits, metrics } = self;
        let welcome = Encrypted { config, timeout: limits.handshake_timeout, metrics };
        http::run(listener, welcome, router, limits, shutdown, deadline).await;
    }
}

/// Binds a socket and tells where.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
