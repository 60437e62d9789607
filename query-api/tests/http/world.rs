//! Two workspaces with keys, and an API that knows them. Every answer is checked for what all of them owe.
use crate::{
    fake::Fake,
    items,
    log::{MemoryLog, SLOTS},
};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use keys::{FileKms, Keyring, KeyringOptions};
use prometheus_client::registry::Registry as Metrics;
use query_api::http::{Api, ApiMetrics, ApiOptions, ApiSettings};
use records::Appender;
use schemas::{
    clock::{ManualClock, SeededEntropy, SystemEntropy},
    ids::{ApiKeyId, ConnectionId},
    kind::Platform,
    time::Millis,
};
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;
use warehouse::{
    catalog::{SqlCatalog, SqlCatalogOptions},
    registry::{Registry, RegistryOptions, Scope, Workspace},
};

pub const NOW: Millis = Millis(1_795_335_330_123);

pub struct World {
    pub answers: Arc<Fake>,
    pub log: Arc<MemoryLog>,
    pub registry: Registry,
    pub keyring: Keyring,
    pub metrics: Metrics,
    pub api: Api,
    pub clock: Arc<ManualClock>,
    pub ours: Tenant,
    pub theirs: Tenant,
    router: Router,
    _directory: tempfile::TempDir,
}

pub struct Tenant {
    pub workspace: Workspace,
    pub connection: ConnectionId,
    pub read: String,
    pub read_id: ApiKeyId,
    pub write: String,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("JSON")
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
    pub fn code(&self) -> String {
        self.json()["code"].as_str().expect("a problem").to_owned()
    }
    #[track_caller]
    pub fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{:?}", self.bytes);
    }
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{:?}", self.bytes);
        self.json()
    }
}

async fn tenant(registry: &Registry, answers: &Fake, name: &str, first: u8) -> Tenant {
    let workspace = registry.add_workspace(name, "Asia/Bangkok", None).await.expect("a workspace");
    let connection = registry.import_connection(workspace.id, Platform::Line, "inbox").await.expect("one").id;
    let (read_id, read) = registry.add_key(workspace.id, &[Scope::Read]).await.expect("a key");
    let (_, write) = registry.add_key(workspace.id, &[Scope::Write]).await.expect("a key");
    answers.with(workspace.id, |shelf| {
        shelf.slot = workspace.slot;
        shelf.at = 5;
        shelf.conversations = (first..first + 7).map(|n| items::conversation(n, connection)).collect();
        shelf.messages = (first..first + 5).map(|n| items::message(n, shelf.conversations[0].id)).collect();
        shelf.events = (first..first + 5).map(|n| items::event(n, connection)).collect();
    });
    Tenant { workspace, connection, read, read_id, write }
}

impl World {
    pub async fn new() -> Self {
        Self::with(ApiSettings::default()).await
    }

    pub async fn with(settings: ApiSettings) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = ManualClock::at(NOW);
        let kms = FileKms::open(&directory.path().join("kms"), Arc::new(SystemEntropy)).expect("a KMS");
        let keyring = Keyring::open(KeyringOptions {
            database: directory.path().join("keys.db").into(),
            kms,
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
        })
        .await
        .expect("a keyring");
        let options = SqlCatalogOptions { database: directory.path().join("catalog.db").into(), clock: clock.clone() };
        let catalog = SqlCatalog::open(options).await.expect("a catalog");
        let registry = Registry::open(RegistryOptions {
            catalog,
            keyring: keyring.clone(),
            slots: SLOTS,
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
        })
        .await
        .expect("a registry");
        let (answers, log) = (Arc::new(Fake::default()), Arc::new(MemoryLog::default()));
        let ours = tenant(&registry, &answers, "Ours", 1).await;
        let theirs = tenant(&registry, &answers, "Theirs", 101).await;
        registry.refresh().await.expect("a view");
        let mut metrics = Metrics::default();
        let api = Api::build(ApiOptions {
            answers: answers.clone(),
            appender: Appender::new(log.clone(), keyring.clone()),
            registry: registry.clone(),
            keyring: keyring.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(1)),
            metrics: ApiMetrics::register(&mut metrics),
            settings,
        });
        let router = api.router();
        Self { answers, log, registry, keyring, metrics, api, clock, ours, theirs, router, _directory: directory }
    }

    /// Sends a request as it is and returns the answer's head with the body still open.
    pub async fn open(&self, request: Request<Body>) -> axum::response::Response {
        let response = self.router.clone().oneshot(request).await.expect("the router always answers");
        for (name, value) in [("cache-control", "no-store"), ("x-content-type-options", "nosniff")] {
            assert_eq!(response.headers().get_all(name).iter().collect::<Vec<_>>(), [value]);
        }
        response
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let (parts, body) = self.open(request).await.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let answer = Answer { status: parts.status, headers: parts.headers, bytes };
        let id = answer.header("x-request-id");
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        if answer.status.as_u16() >= 400 && method != Method::HEAD {
            assert_eq!(answer.header("content-type"), "application/problem+json");
            let problem = answer.json();
            let fields: Vec<_> = problem.as_object().expect("an object").keys().map(String::as_str).collect();
            let mut wanted = ["type", "title", "status", "code", "detail", "request_id"];
            wanted.sort_unstable();
            assert_eq!(fields, wanted);
            assert_eq!(problem["request_id"], id);
            assert_eq!(problem["status"], answer.status.as_u16());
        }
        crate::openapi::assert_documented(&method, &path, answer.status);
        answer
    }

    pub async fn get(&self, key: &str, path: &str) -> Answer {
        self.send(request(Method::GET, key, path)).await
    }

    pub async fn post(&self, key: &str, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = request(Method::POST, key, path);
        request.headers_mut().insert("content-type", "application/json".parse().expect("a value"));
        *request.body_mut() = body.into();
        self.send(request).await
    }
}

pub fn request(method: Method, key: &str, path: &str) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    let builder = if key.is_empty() { builder } else { builder.header("authorization", format!("Bearer {key}")) };
    builder.body(Body::empty()).expect("a request")
}

pub fn id(n: u8) -> String {
    format!("{n:02x}").repeat(16)
}
