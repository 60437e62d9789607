//! A whole ingest on a temporary directory: real keys, vault and registry, and a log in memory that can be told to fail.
#![allow(dead_code, missing_docs, reason = "each test file uses a part of it")]
use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use event_log::{Appended, Batch, EventLog, LogError};
use hmac::{Hmac, KeyInit, Mac};
use ingest::{
    AppSettings, Ingest, IngestOptions, IngestSettings, Secret,
    platforms::{facebook::AppIds, line::CHANNEL_SECRET},
};
use keys::{FileKms, Keyring, KeyringOptions, Vault, VaultOptions};
use records::Appender;
use schemas::{
    clock::{ManualClock, SeededEntropy, SharedEntropy},
    ids::*,
    kind::*,
    log::{Offset, Slot},
    record::SealedRecord,
    time::Millis,
    wire::Payload,
};
use std::sync::{Arc, Mutex, atomic::*};
use tower::ServiceExt;
use warehouse::{
    catalog::{SqlCatalog, SqlCatalogOptions},
    registry::{Connection, Registry, RegistryOptions, Workspace},
};

pub const NOW: Millis = Millis(1_773_900_000_000);
pub const DESTINATION: &str = "U9d74932bdb6f21dc7ab21d6fc5260f47";
pub const LINE_SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
pub const APP_SECRET: &[u8] = b"synthetic-app-secret-facebook";

/// A log in memory, of two slots.
#[derive(Default)]
pub struct MemoryLog {
    records: Mutex<[Vec<SealedRecord>; 2]>,
    pub broken: AtomicBool,
    pub stalled: AtomicBool,
    pub appends: AtomicUsize,
}

#[async_trait]
impl EventLog for MemoryLog {
    fn epoch(&self) -> LogEpoch {
        LogEpoch([1; 16])
    }
    fn slots(&self) -> u32 {
        2
    }
    async fn append(&self, slot: Slot, records: Vec<SealedRecord>) -> Result<Appended, LogError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(LogError::Unavailable("told to".into()));
        }
        if self.stalled.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.appends.fetch_add(1, Ordering::SeqCst);
        let mut slots = self.records.lock().expect("lock");
        let first = Offset(slots[slot.0 as usize].len() as u64);
        let next = Offset(first.0 + records.len() as u64);
        slots[slot.0 as usize].extend(records);
        Ok(Appended { first, next })
    }
    async fn read(&self, _: Slot, from: Offset, _: usize) -> Result<Batch, LogError> {
        Ok(Batch { records: Vec::new(), next: from })
    }
    async fn wait(&self, _: Slot, _: Offset) -> Result<(), LogError> {
        Ok(())
    }
    async fn start(&self, _: Slot) -> Result<Offset, LogError> {
        Ok(Offset(0))
    }
    async fn end(&self, slot: Slot) -> Result<Offset, LogError> {
        Ok(Offset(self.records.lock().expect("lock")[slot.0 as usize].len() as u64))
    }
    async fn truncate(&self, _: Slot, _: Offset) -> Result<(), LogError> {
        Ok(())
    }
}

pub struct World {
    pub log: Arc<MemoryLog>,
    pub clock: Arc<ManualClock>,
    pub keyring: Keyring,
    pub vault: Vault,
    pub registry: Registry,
    pub ingest: Ingest,
    pub workspace: Workspace,
    pub line: Connection,
    pub page: Connection,
    pub metrics: prometheus_client::registry::Registry,
    _dir: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut IngestSettings)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = ManualClock::at(NOW);
        let entropy: SharedEntropy = Arc::new(SeededEntropy::new(11));
        let kms = FileKms::open(dir.path(), entropy.clone()).expect("a kms");
        let keyring = Keyring::open(KeyringOptions {
            database: dir.path().join("keys.db").into(),
            kms: kms.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        });
        let keyring = keyring.await.expect("a keyring");
        let vault = Vault::open(VaultOptions {
            database: dir.path().join("vault.db").into(),
            kms,
            clock: clock.clone(),
            entropy: entropy.clone(),
        });
        let vault = vault.await.expect("a vault");
        let database = dir.path().join("catalog.db").into();
        let catalog = SqlCatalog::open(SqlCatalogOptions { database, clock: clock.clone() }).await.expect("a catalog");
        let registry = Registry::open(RegistryOptions {
            catalog,
            keyring: keyring.clone(),
            slots: 2,
            clock: clock.clone(),
            entropy: entropy.clone(),
        });
        let registry = registry.await.expect("a registry");
        let workspace = registry.add_workspace("Shop", "Asia/Bangkok", None).await.expect("a workspace");
        let line = registry.add_connection(workspace.id, Platform::Line, "LINE", Some(DESTINATION)).await;
        let page = registry.add_connection(workspace.id, Platform::Facebook, "Page", Some(crate::support::PAGE)).await;
        let (line, page) = (line.expect("a connection"), page.expect("a page"));
        vault.put(line.id, workspace.id, "line", CHANNEL_SECRET, LINE_SECRET).await.expect("a secret");
        registry.refresh().await.expect("refreshed");
        let log = Arc::new(MemoryLog::default());
        let mut settings = IngestSettings {
            apps: [(
                Platform::Facebook,
                AppSettings {
                    secrets: vec![Secret::new(APP_SECRET.to_vec()), Secret::new(b"next secret".to_vec())],
                    verify_tokens: vec![Secret::new(b"verify-me".to_vec())],
                },
            )]
            .into(),
            facebook: AppIds { own: Some("987654321098765".into()), ..Default::default() },
            ..Default::default()
        };
        change(&mut settings);
        let mut metrics = prometheus_client::registry::Registry::default();
        let appender = Appender::new(log.clone(), keyring.clone());
        appender.register(&mut metrics);
        let ingest = Ingest::build(IngestOptions {
            appender,
            registry: registry.clone(),
            vault: vault.clone(),
            keyring: keyring.clone(),
            clock: clock.clone(),
            entropy,
            settings,
            metrics: &mut metrics,
        });
        Self { log, clock, keyring, vault, registry, ingest, workspace, line, page, metrics, _dir: dir }
    }

    pub fn router(&self) -> Router {
        self.ingest.router()
    }

    pub async fn send(&self, request: Request<Body>) -> StatusCode {
        let response = self.router().oneshot(request).await.expect("infallible");
        let status = response.status();
        if request_has_no_body(status) {
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
            assert!(body.is_empty(), "no answer to a post says anything");
        }
        status
    }

    /// Posts to the LINE connection, signed with its secret.
    pub async fn line(&self, body: impl Into<Vec<u8>>) -> StatusCode {
        let body = body.into();
        self.send(line_request(self.line.id, &sign_line(LINE_SECRET, &body), body)).await
    }

    /// Posts to Facebook's path, signed with the app's secret.
    pub async fn facebook(&self, body: impl Into<Vec<u8>>) -> StatusCode {
        let body = body.into();
        let request =
            Request::post("/webhooks/facebook").header("X-Hub-Signature-256", sign_facebook(APP_SECRET, &body));
        self.send(request.body(body.into()).expect("a request")).await
    }

    /// Everything in the log, opened.
    pub async fn records(&self) -> Vec<(WorkspaceId, Payload)> {
        let sealed: Vec<_> = self.log.records.lock().expect("lock").iter().flatten().cloned().collect();
        let mut out = Vec::new();
        for record in sealed {
            out.push((record.workspace, records::open(&self.keyring, &record).await.expect("opens")));
        }
        out
    }

    /// One word for each record: `system:` before those of the operator's workspace.
    pub async fn words(&self) -> Vec<String> {
        let word = |(workspace, payload): &(WorkspaceId, Payload)| {
            let of = if *workspace == WorkspaceId::SYSTEM { "system:" } else { "" };
            match payload {
                Payload::Event(event) => format!("{of}{}", event.kind),
                Payload::Raw(raw) => {
                    format!("{of}raw {}{}", raw.reason, if raw.connection.is_some() { "" } else { " of nobody" })
                }
                Payload::Ignored(ignored) => format!("{of}ignored {}", ignored.reason),
            }
        };
        self.records().await.iter().map(word).collect()
    }

    pub fn metrics_text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.metrics).expect("text");
        text
    }
}

fn request_has_no_body(status: StatusCode) -> bool {
    status != StatusCode::METHOD_NOT_ALLOWED
}

pub fn mac(secret: &[u8], body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).expect("any length");
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

pub fn sign_line(secret: &[u8], body: &[u8]) -> String {
    STANDARD.encode(mac(secret, body))
}

pub fn sign_facebook(secret: &[u8], body: &[u8]) -> String {
    format!("sha256={}", schemas::ids::hex(&mac(secret, body)))
}

pub fn line_request(connection: impl std::fmt::Display, signature: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(format!("/webhooks/line/{connection}")).header("x-line-signature", signature);
    request.body(body.into()).expect("a request")
}
