//! The operator's listener: health, readiness, metrics. It speaks in clear, and so exists on loopback only.
use crate::{
    Limits, ServeError,
    http::{self, Opened, Protocol, Socket, Welcome},
    listener::bind as listen,
};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Json, Response},
    routing::get,
};
use futures::future::BoxFuture;
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::json;
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// What the metrics are encoded as.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// A question to the process that hangs is an answer too, and must come before the asker gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says whether a process can do its work.
pub trait Readiness: Send + Sync + 'static {
    /// Why it cannot; empty when it can.
    fn reasons(&self) -> BoxFuture<'_, Vec<String>>;

    /// What an operator should know although it can, such as clients that were refused for their TLS version.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Brings gauges up to date before they are read.
pub type Refresh = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Clone)]
struct Operations {
    registry: Arc<Registry>,
    readiness: Arc<dyn Readiness>,
    refresh: Option<Refresh>,
}

/// The operations listener, bound but not yet serving.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

/// Listens on `addr`, which has to be a loopback address. `refresh` runs before each answer of `/metrics`.
pub async fn bind(
    addr: SocketAddr,
    registry: Arc<Registry>,
    readiness: Arc<dyn Readiness>,
    refresh: Option<Refresh>,
) -> Result<Bound, ServeError> {
    if !addr.ip().is_loopback() {
        return Err(ServeError::NotLoopback(addr));
    }
    let (listener, address) = listen(addr).await?;
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Operations { registry, readiness, refresh });
    Ok(Bound { listener, address, router })
}

impl Bound {
    /// The address listened on, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` ends, and then no longer than `deadline`.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send, deadline: Duration) {
        // Few ask here, and a process that is short of files needs them elsewhere.
        let limits = Limits { connections: 64, ..Limits::default() };
        http::run(self.listener, InClear, self.router, limits, shutdown, deadline).await;
    }
}

struct InClear;

impl Welcome for InClear {
    type Io = Socket;
    type Guard = ();

    async fn welcome(&self, io: Socket) -> Option<Opened<Socket, ()>> {
        Some(Opened { io, protocol: Protocol::Http1, guard: () })
    }
}

async fn ready(State(operations): State<Operations>) -> Response {
    let asked = tokio::time::timeout(PATIENCE, operations.readiness.reasons()).await;
    let reasons = asked.unwrap_or_else(|_| vec!["the check of readiness did not end in time".to_owned()]);
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let answer = json!({ "ready": ready, "reasons": reasons, "notes": operations.readiness.notes() });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

async fn metrics(State(operations): State<Operations>) -> Response {
    if let Some(refresh) = &operations.refresh
        && tokio::time::timeout(PATIENCE, refresh()).await.is_err()
    {
        tracing::warn!("the metrics were not brought up to date in time; old values are shown");
    }
    let mut text = String::new();
    match encode(&mut text, &operations.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
