//! The operations listener.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper that fails fails its test")]
mod support;
use axum::http::StatusCode;
use futures::future::BoxFuture;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};
use serve::{
    ServeError,
    operations::{self, Readiness, Refresh},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{get, over_http1, text, within};
use tokio::{net::TcpStream, sync::oneshot};

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Readiness for Told {
    fn reasons(&self) -> BoxFuture<'_, Vec<String>> {
        Box::pin(async { self.0.lock().unwrap().clone() })
    }

    fn notes(&self) -> Vec<String> {
        vec!["ingest refused 3 handshakes of tls1.2".to_owned()]
    }
}

async fn ask(address: SocketAddr, path: &str) -> (StatusCode, String) {
    let mut client = over_http1(TcpStream::connect(address).await.unwrap()).await;
    text(within(client.send_request(get(path))).await.unwrap()).await
}

#[tokio::test]
async fn it_refuses_to_be_seen_from_outside() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:0.0.0.0]:0"] {
        let refusal = operations::bind(address.parse().unwrap(), Arc::default(), Arc::new(Told::default()), None)
            .await
            .unwrap_err();
        assert!(matches!(refusal, ServeError::NotLoopback(_)), "{refusal}");
    }
}

#[tokio::test]
async fn it_answers_health_readiness_and_metrics() {
    let mut registry = Registry::default();
    let lag = Gauge::<i64>::default();
    registry.register("chatmai_lag", "Events behind", lag.clone());
    let refresh: Refresh = Arc::new(move || {
        let lag = lag.clone();
        Box::pin(async move {
            lag.inc();
        })
    });
    let told = Arc::new(Told::default());
    let any = "127.0.0.1:0".parse().unwrap();
    let bound = operations::bind(any, Arc::new(registry), told.clone(), Some(refresh)).await.unwrap();
    let address = bound.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let served = tokio::spawn(bound.serve(shutdown, Duration::from_secs(60)));

    assert_eq!(ask(address, "/healthz").await, (StatusCode::OK, "ok".to_owned()));
    let (status, body) = ask(address, "/readyz").await;
    let notes = serde_json::json!(["ingest refused 3 handshakes of tls1.2"]);
    assert_eq!(status, StatusCode::OK);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, serde_json::json!({ "ready": true, "reasons": [], "notes": notes }));

    told.0.lock().unwrap().push("the log does not answer".to_owned());
    let (status, body) = ask(address, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, serde_json::json!({ "ready": false, "reasons": ["the log does not answer"], "notes": notes }));

    // Each reading refreshes first.
    for value in 1..3 {
        let (status, page) = ask(address, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains(&format!("chatmai_lag {value}\n")) && page.ends_with("# EOF\n"), "{page}");
    }
    assert_eq!(ask(address, "/v1/conversations").await.0, StatusCode::NOT_FOUND);

    stop.send(()).unwrap();
    within(served).await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let first = operations::bind(any, Arc::default(), Arc::new(Told::default()), None).await.unwrap();
    let taken = first.local_addr();
    let refusal = operations::bind(taken, Arc::default(), Arc::new(Told::default()), None).await.unwrap_err();
    assert!(refusal.to_string().contains(&taken.to_string()), "{refusal}");
}
