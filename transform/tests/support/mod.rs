//! A whole warehouse on a temporary directory, with a clock that stands until it is moved.
#![allow(dead_code, clippy::expect_used, reason = "each test file uses a part; what cannot be set up has failed")]
use event_log::{
    SharedLog,
    embedded::{EmbeddedLog, Options},
};
use futures::TryStreamExt;
use keys::{FileKms, Keyring, KeyringOptions};
use object_store::ObjectStoreExt;
use records::Appender;
use schemas::{
    amendment::Amendments,
    clock::{ManualClock, SystemEntropy},
    columns::{EventRow, read_events},
    conversation::ConversationState,
    event::{Amends, Author, Change, Contact, Event, Message},
    ids::{ConnectionId, ContactId, ConversationId, EventId, WorkspaceId},
    kind::{AuthorKind, Kind, MessageType, Platform, Source},
    log::Slot,
    partition::{PartitionDay, Table},
    time::Millis,
    wire::Payload,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use test_stores::Place;
use transform::{
    JobSettings, Jobs, LandSettings, TransformHandle, TransformOptions,
    faults::{NoFaults, SharedFaults},
};
use warehouse::{
    catalog::{Catalog, DataFile, SharedCatalog, SqlCatalog, SqlCatalogOptions},
    duplicates::Duplicates,
    file::{DataFilePath, Files, FilesOptions},
    registry::{Registry, RegistryOptions, Workspace},
};

pub const CONNECTION: ConnectionId = ConnectionId([7; 16]);

pub struct House {
    pub directory: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
    pub log: SharedLog,
    pub keyring: Keyring,
    pub catalog: SharedCatalog,
    pub files: Files,
    pub registry: Registry,
    pub appender: Appender,
    pub duplicates: Duplicates,
    pub place: Place,
}

pub fn at(text: &str) -> Millis {
    text.parse().expect("a time")
}

impl House {
    /// On the store that the tests are run on.
    pub async fn new(now: Millis) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let place = Place::chosen(&directory.path().join("store"));
        Self::on(directory, place, now).await
    }

    pub async fn on(directory: tempfile::TempDir, place: Place, now: Millis) -> Self {
        let clock = ManualClock::at(now);
        let options = Options::new(directory.path().join("log"), 2, clock.clone(), Arc::new(SystemEntropy));
        let log = EmbeddedLog::open(options).expect("a log");
        Self::with_log(directory, place, clock, log).await
    }

    /// On a log that is there.
    pub async fn with_log(directory: tempfile::TempDir, place: Place, clock: Arc<ManualClock>, log: SharedLog) -> Self {
        let entropy = Arc::new(SystemEntropy);
        let path = |name: &str| directory.path().join(name);
        let kms = FileKms::open(&path("keys"), entropy.clone()).expect("a kms");
        let keyring = Keyring::open(KeyringOptions {
            database: path("keys.db").into(),
            kms,
            clock: clock.clone(),
            entropy: entropy.clone(),
        })
        .await
        .expect("a keyring");
        let sql = SqlCatalog::open(SqlCatalogOptions { database: path("catalog.db").into(), clock: clock.clone() })
            .await
            .expect("a catalog");
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
            store: place.store.clone(),
            durability: place.durability.clone(),
            keyring: keyring.clone(),
            clock: clock.clone(),
            entropy,
            footer_cache_bytes: 16 << 20,
        });
        let duplicates = Duplicates::new(files.clone(), catalog.clone(), 16 << 20);
        let appender = Appender::new(log.clone(), keyring.clone());
        Self { directory, clock, log, keyring, catalog, files, registry, appender, duplicates, place }
    }

    pub fn now(&self) -> Millis {
        schemas::clock::Clock::now(self.clock.as_ref())
    }

    pub async fn workspace(&self, name: &str, days: Option<u16>) -> Workspace {
        self.registry.add_workspace(name, "Asia/Bangkok", days).await.expect("a workspace")
    }

    pub fn jobs(&self) -> Jobs {
        // Nothing lands and no job runs but by hand.
        let day = Duration::from_secs(86_400);
        self.jobs_with(LandSettings { max_age: day, max_rows: 1 << 40, ..LandSettings::default() })
    }

    /// With limits of one commit.
    pub fn jobs_with(&self, land: LandSettings) -> Jobs {
        self.jobs_seen_by(land, Arc::new(NoFaults))
    }

    /// With limits of one commit, and somebody who is told what point the jobs come to.
    pub fn jobs_seen_by(&self, land: LandSettings, faults: SharedFaults) -> Jobs {
        let options = TransformOptions {
            log: self.log.clone(),
            keyring: self.keyring.clone(),
            catalog: self.catalog.clone(),
            files: self.files.clone(),
            duplicates: self.duplicates.clone(),
            registry: self.registry.clone(),
            clock: self.clock.clone(),
            holder: "test".into(),
            land,
            jobs: JobSettings {
                derive_interval: Duration::from_secs(86_400),
                compact_interval: Duration::from_secs(86_400),
                expire_interval: Duration::from_secs(86_400),
                scrub_interval: Duration::from_secs(86_400),
                ..JobSettings::default()
            },
            faults,
            committed: Arc::new(|_| {}),
        };
        Jobs::new(options, &mut prometheus_client::registry::Registry::default())
    }

    pub fn start(&self) -> TransformHandle {
        self.jobs().start()
    }

    pub async fn append(&self, workspace: &Workspace, events: &[Event]) {
        let payloads: Vec<_> = events.iter().map(|e| (e.id, Payload::Event(e.clone()))).collect();
        self.appender.append(workspace.id, workspace.slot, &payloads).await.expect("appended");
    }

    /// The object of a file.
    pub async fn object(&self, file: &DataFile) -> Vec<u8> {
        let object = self.place.store.get(&DataFilePath::of(file).object()).await.expect("an object");
        object.bytes().await.expect("read").to_vec()
    }

    /// Puts bytes where a file lies, or another one could.
    pub async fn put_object(&self, path: &object_store::path::Path, bytes: Vec<u8>) {
        self.place.store.put(path, bytes.into()).await.expect("put");
    }

    /// Takes a file's object away.
    pub async fn lose_object(&self, file: &DataFile) {
        self.place.store.delete(&DataFilePath::of(file).object()).await.expect("deleted");
    }

    pub async fn live(&self, workspace: WorkspaceId) -> Vec<DataFile> {
        let mut files = Vec::new();
        for slot in 0..self.log.slots() {
            files.extend(self.catalog.live_files(Slot(slot)).await.expect("files"));
        }
        files.retain(|f| f.workspace == workspace);
        files
    }

    /// Every landed event of a workspace, as amended.
    pub async fn rows(&self, workspace: WorkspaceId) -> Vec<EventRow> {
        let mut rows = self.raw_rows(workspace).await;
        let mut amendments = Amendments::default();
        rows.iter().filter(|r| !r.folded).for_each(|r| {
            amendments.add(&r.event);
        });
        rows.iter_mut().for_each(|r| amendments.apply(r));
        rows
    }

    /// Every landed event of a workspace as the files hold it.
    pub async fn raw_rows(&self, workspace: WorkspaceId) -> Vec<EventRow> {
        let mut rows = Vec::new();
        for file in self.live(workspace).await.iter().filter(|f| f.table == Table::Events) {
            let batches: Vec<_> =
                self.files.stream(file, None).await.expect("opens").try_collect().await.expect("reads");
            batches.iter().for_each(|b| rows.extend(read_events(b).expect("rows")));
        }
        rows.sort_by_key(|r| r.offset);
        rows
    }

    /// The newest derived state of each conversation.
    pub async fn states(&self, workspace: WorkspaceId) -> HashMap<ConversationId, ConversationState> {
        let mut states: HashMap<ConversationId, ConversationState> = HashMap::new();
        for file in self.live(workspace).await.iter().filter(|f| f.table == Table::Conversations) {
            for batch in self.files.read(file, None).await.expect("reads") {
                for state in schemas::columns::read_conversations(&batch).expect("states") {
                    if states.get(&state.conversation).is_none_or(|held| held.version <= state.version) {
                        states.insert(state.conversation, state);
                    }
                }
            }
        }
        states
    }
}

/// An event of conversation `conversation` with id `id`.
pub fn event(id: u32, conversation: u8, when: Millis, kind: Kind, author: AuthorKind) -> Event {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&id.to_be_bytes());
    Event {
        id: EventId(bytes),
        kind,
        source: Source::Webhooks,
        connection: CONNECTION,
        platform: Platform::Line,
        conversation: Some(ConversationId([conversation; 16])),
        contact: Some(Contact { id: ContactId([conversation; 16]), name: None }),
        author: Some(Author { kind: author, member: None, contact: None, name: None }),
        event_at: when,
        claimed_at: None,
        received_at: when,
        seq: 0,
        message: (kind == Kind::Message).then(|| Message {
            platform_id: format!("m{id}"),
            kind: MessageType::Text,
            text: Some(format!("text {id}")),
            attachments: Vec::new(),
            reply_to: None,
        }),
        amends: None,
        details: "{}".into(),
    }
}

pub fn message(id: u32, conversation: u8, when: Millis) -> Event {
    event(id, conversation, when, Kind::Message, AuthorKind::Customer)
}

pub fn edit(id: u32, target: &Event, when: Millis, text: &str, order: i64) -> Event {
    let mut edit = event(id, 0, when, Kind::Edit, AuthorKind::Customer);
    edit.conversation = target.conversation;
    edit.amends = Some(Amends { message: target.id, change: Change::Edit { text: Some(text.into()), order } });
    edit
}

pub fn unsend(id: u32, target: &Event, when: Millis) -> Event {
    let mut unsend = event(id, 0, when, Kind::Unsend, AuthorKind::Customer);
    unsend.conversation = target.conversation;
    unsend.amends = Some(Amends { message: target.id, change: Change::Unsend });
    unsend
}

pub fn text_of(row: &EventRow) -> Option<&str> {
    row.event.message.as_ref().and_then(|m| m.text.as_deref())
}

pub fn day_of(at: Millis) -> PartitionDay {
    PartitionDay::containing(at)
}
