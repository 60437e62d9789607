//! The life of one connection.
use super::{
    accept::Protocol,
    activity::Activity,
    body::{GuardedBody, TimedBody},
};
use crate::Limits;
use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use std::{convert::Infallible, net::SocketAddr, pin::pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};
use tower::ServiceExt;

/// The least that hyper reads HTTP/1 with; less makes it panic.
const LEAST_BUFFER: usize = 8 * 1024;

pub(super) struct Connection<Io> {
    pub(super) io: Io,
    pub(super) protocol: Protocol,
    pub(super) peer: SocketAddr,
}

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The last request has its answer, or its client has left.
    Answered,
    /// Its client took too long; nothing was left to say to it.
    Cut,
}

/// Answers the requests of a connection until its client leaves, it is idle for too long, or `stopping` says true and
/// what ran has been answered.
pub(super) async fn drive<Io>(
    connection: Connection<Io>,
    router: Router,
    limits: &Limits,
    mut stopping: watch::Receiver<bool>,
) -> End
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Connection { io, protocol, peer } = connection;
    let activity = Activity::default();
    let service = service_fn(|request| answer(request, peer, router.clone(), activity.clone(), limits.body_timeout));
    let builder = builder(protocol, limits);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(io), service));
    let mut closing = false;
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                let Err(error) = ended else { return End::Answered };
                tracing::debug!(error, "a connection ended early");
                let is_late = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout);
                return if is_late { End::Cut } else { End::Answered };
            }
            _ = stopping.wait_for(|stop| *stop), if !closing => {}
            () = activity.idle(limits) => {
                // Who has asked before is told that the connection ends; who never did, or does not go, is cut.
                if closing || !activity.used() {
                    return End::Cut;
                }
            }
        }
        closing = true;
        serving.as_mut().graceful_shutdown();
    }
}

fn builder(protocol: Protocol, limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.header_bytes.max(LEAST_BUFFER));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        // A client that is gone without a word, or that stops in the middle of its headers, does not answer.
        .keep_alive_interval(limits.header_timeout)
        .keep_alive_timeout(limits.header_timeout);
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    router: Router,
    activity: Activity,
    body_timeout: Duration,
) -> Result<Response<Body>, Infallible> {
    let running = activity.begin();
    let mut request = request.map(|body| Body::new(TimedBody::new(body, body_timeout)));
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.oneshot(request).await?;
    Ok(response.map(|inner| Body::new(GuardedBody { inner, _running: running })))
}
