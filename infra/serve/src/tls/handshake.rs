//! From an accepted socket to an encrypted connection, or to a count of why not.
use super::{
    config::HTTP_2,
    hello::{Opening, opening},
    tap::Tap,
};
use crate::{
    http::{Opened, Protocol, Socket, Welcome},
    metrics::{Accepted, Failure, ListenerMetrics, OpenConnection},
};
use rustls::ServerConfig;
use std::{sync::Arc, time::Duration};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Greets clients with TLS.
pub(crate) struct Encrypted {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) timeout: Duration,
    pub(crate) metrics: ListenerMetrics,
}

impl Welcome for Encrypted {
    type Io = TlsStream<Tap>;
    type Guard = OpenConnection;

    async fn welcome(&self, stream: Socket) -> Option<Opened<Self::Io, Self::Guard>> {
        let accept = TlsAcceptor::from(self.config.clone()).accept(Tap::new(stream)).into_fallible();
        match tokio::time::timeout(self.timeout, accept).await {
            Ok(Ok(mut io)) => {
                io.get_mut().0.forget();
                self.metrics.count_accepted(Accepted::of(io.get_ref().1.protocol_version()));
                // The protocol is agreed on in the handshake: to guess it from the first bytes would mean to wait for
                // them without a limit.
                let protocol = match io.get_ref().1.alpn_protocol() {
                    Some(HTTP_2) => Protocol::Http2,
                    _ => Protocol::Http1,
                };
                Some(Opened { io, protocol, guard: self.metrics.opened() })
            }
            Ok(Err((error, tap))) => {
                let opening = opening(tap.seen());
                tracing::debug!(%error, ?opening, "a client was turned away");
                match opening {
                    Opening::Older(version) => self.metrics.count_refused(version),
                    Opening::Tls13 => self.metrics.count_failed(Failure::Handshake),
                    Opening::Nothing => self.metrics.count_failed(Failure::Silent),
                }
                None
            }
            Err(_) => {
                self.metrics.count_failed(Failure::Timeout);
                None
            }
        }
    }
}
