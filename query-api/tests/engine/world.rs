//! A whole platform in a directory: log, keys, catalog, store, and an engine over them. Nothing lands but by hand.
use event_log::{
    SharedLog,
    embedded::{EmbeddedLog, Options},
};
use keys::{FileKms, Keyring, KeyringOptions};
use query_api::engine::{Engine, EngineMetrics, EngineOptions, EngineSettings};
use records::{Appender, Position};
use schemas::{
    clock::{Clock, ManualClock, SystemEntropy},
    event::Event,
    ids::WorkspaceId,
    log::Offset,
    time::Millis,
    wire::Payload,
};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use test_stores::Place;
use warehouse::{
    catalog::{Catalog, SharedCatalog, SqlCatalog, SqlCatalogOptions},
    duplicates::Duplicates,
    file::{Files, FilesOptions},
    registry::{Registry, RegistryOptions, Workspace},
};

/// Noon of a day far from any border.
pub const NOON: Millis = Millis(20_500 * 86_400_000 + 43_200_000);
pub const LONG: Duration = Duration::from_secs(60);

pub struct World {
    pub clock: Arc<ManualClock>,
    pub log: SharedLog,
    pub keyring: Keyring,
    pub catalog: SharedCatalog,
    pub files: Files,
    pub registry: Registry,
    pub appender: Appender,
    pub duplicates: Duplicates,
    _directory: TempDir,
}

/// An engine whose tasks run until it is dropped.
pub struct Running {
    pub engine: Engine,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Completes when the tasks end by themselves.
    pub async fn ended(&mut self) {
        (&mut self.task).await.expect("no panic");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::ops::Deref for Running {
    type Target = Engine;
    fn deref(&self) -> &Engine {
        &self.engine
    }
}

/// No newer snapshot is taken but when the test says so.
pub fn settings() -> EngineSettings {
    EngineSettings { snapshot_poll: Duration::from_secs(86_400), ..EngineSettings::default() }
}

impl World {
    pub async fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let place = Place::chosen(&directory.path().join("store"));
        Self::on(directory, place).await
    }

    /// On a store of the test's own.
    pub async fn on(directory: TempDir, place: Place) -> Self {
        let clock = ManualClock::at(NOON);
        let entropy = Arc::new(SystemEntropy);
        let path = |name: &str| directory.path().join(name);
        let log: SharedLog =
            EmbeddedLog::open(Options::new(path("log"), 2, clock.clone(), entropy.clone())).expect("a log");
        let kms = FileKms::open(&path("kms"), entropy.clone()).expect("a kms");
        let options =
            KeyringOptions { database: path("keys.db").into(), kms, clock: clock.clone(), entropy: entropy.clone() };
        let keyring = Keyring::open(options).await.expect("a keyring");
        let options = SqlCatalogOptions { database: path("catalog.db").into(), clock: clock.clone() };
        let sql = SqlCatalog::open(options).await.expect("a catalog");
        sql.bind_log(log.epoch(), log.slots()).await.expect("bound");
        let registry = Registry::open(RegistryOptions {
            catalog: sql.clone(),
            keyring: keyring.clone(),
            slots: log.slots(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        })
        .await
        .expect("a registry");
        let catalog: SharedCatalog = sql;
        let files = Files::new(FilesOptions {
            store: place.store,
            durability: place.durability,
            keyring: keyring.clone(),
            clock: clock.clone(),
            entropy,
            footer_cache_bytes: 16 << 20,
        });
        let duplicates = Duplicates::new(files.clone(), catalog.clone(), 16 << 20);
        let appender = Appender::new(log.clone(), keyring.clone());
        Self { clock, log, keyring, catalog, files, registry, appender, duplicates, _directory: directory }
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    pub async fn workspace(&self, name: &str, days: Option<u16>) -> Workspace {
        self.registry.add_workspace(name, "Asia/Bangkok", days).await.expect("a workspace")
    }

    pub async fn engine(&self) -> Running {
        self.engine_with(settings()).await
    }

    pub async fn engine_with(&self, settings: EngineSettings) -> Running {
        let (engine, tasks) = Engine::start(EngineOptions {
            log: self.log.clone(),
            keyring: self.keyring.clone(),
            catalog: self.catalog.clone(),
            files: self.files.clone(),
            // Of its own, as in a process that does not land.
            duplicates: Duplicates::new(self.files.clone(), self.catalog.clone(), 16 << 20),
            registry: self.registry.clone(),
            clock: self.clock.clone(),
            settings,
            metrics: EngineMetrics::register(&mut prometheus_client::registry::Registry::default()),
        })
        .await
        .expect("an engine");
        let task = tokio::spawn(tasks.run(std::future::pending()));
        Running { engine, task }
    }

    /// Appends events; the position after them.
    pub async fn append(&self, workspace: &Workspace, events: &[Event]) -> Position {
        let payloads: Vec<_> = events.iter().map(|e| (e.id, Payload::Event(e.clone()))).collect();
        self.appender.append(workspace.id, workspace.slot, &payloads).await.expect("appended")
    }

    /// Appends events, and waits until an engine answers with them.
    pub async fn tell(&self, engine: &Engine, workspace: &Workspace, events: &[Event]) -> Position {
        let position = self.append(workspace, events).await;
        engine.reach(workspace.id, position, LONG).await.expect("reached");
        position
    }

    pub async fn end(&self, workspace: &Workspace) -> Offset {
        self.log.end(workspace.slot).await.expect("an end")
    }
}

/// Everything that the event list gives, page by page.
pub async fn all_events(engine: &Engine, workspace: WorkspaceId, page: usize) -> Vec<(Offset, [u8; 16])> {
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let (items, next) = engine.events(workspace, from, page).await.expect("events");
        if items.is_empty() {
            return all;
        }
        all.extend(items.iter().map(|item| (item.offset, item.id.0)));
        from = Some(next);
    }
}
