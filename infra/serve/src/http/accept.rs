//! The loop that accepts connections, and their end at shutdown.
use super::{
    addresses::Addresses,
    connection::{Connection, End, drive},
    linger::{Socket, lend},
};
use crate::Limits;
use axum::Router;
use std::{future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinError, JoinSet},
};

/// Which HTTP a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// A connection that is ready for HTTP. The guard lives as long as it does.
pub(crate) struct Opened<Io, Guard> {
    pub(crate) io: Io,
    pub(crate) protocol: Protocol,
    pub(crate) guard: Guard,
}

/// What happens to an accepted socket before HTTP.
pub(crate) trait Welcome: Send + Sync + 'static {
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    type Guard: Send + 'static;
    /// `None`: the client was turned away.
    fn welcome(&self, socket: Socket) -> impl Future<Output = Option<Opened<Self::Io, Self::Guard>>> + Send;
}

/// Serves until `shutdown`, then answers what runs and gives up after `deadline`. Dropping the future ends all at once.
pub(crate) async fn run<W: Welcome>(
    listener: TcpListener,
    welcome: W,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
    deadline: Duration,
) {
    let welcome = Arc::new(welcome);
    let limits = Arc::new(limits);
    let slots = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let addresses = Addresses::new(limits.connections_per_address);
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        while let Some(ended) = connections.try_join_next() {
            report(ended);
        }
        // The slot comes first: without one, clients wait in the kernel's queue and not in our memory.
        let next = async {
            let slot = slots.clone().acquire_owned().await;
            (slot, accept(&listener).await)
        };
        let (slot, (stream, peer)) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            next = next => next,
        };
        let Some(place) = addresses.enter(peer.ip()) else { continue };
        let (welcome, router, limits, mut stopping) =
            (welcome.clone(), router.clone(), limits.clone(), stopping.clone());
        connections.spawn(async move {
            let (_slot, _place) = (slot, place);
            let (socket, lent) = lend(stream);
            let opened = tokio::select! {
                biased;
                // Nothing has been asked yet on a connection whose handshake runs.
                _ = stopping.wait_for(|stop| *stop) => None,
                opened = welcome.welcome(socket) => opened,
            };
            if let Some(Opened { io, protocol, guard }) = opened {
                if drive(Connection { io, protocol, peer }, router, &limits, stopping.clone()).await == End::Answered {
                    lent.linger(&limits.linger, stopping).await;
                }
                drop(guard);
            }
        });
    }
    drop(listener);
    stop.send_replace(true);
    let drained = tokio::time::timeout(deadline, async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(connections = connections.len(), "connections were cut, their requests took too long to end");
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and written whole: to wait for more would only delay them. A socket that refuses is
                // one whose client has left.
                if stream.set_nodelay(true).is_ok() {
                    return (stream, peer);
                }
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                // Out of files or memory: to try again at once would only burn a processor.
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_the_clients(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a request's handler panicked; its connection was closed");
    }
}
