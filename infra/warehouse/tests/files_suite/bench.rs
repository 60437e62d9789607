//! Files in one store, and rows for them.
use arrow::record_batch::RecordBatch;
use keys::{FileKms, Keyring, KeyringOptions};
use object_store::{ObjectStoreExt, PutPayload, path::Path};
use schemas::{
    clock::{ManualClock, SeededEntropy, SharedEntropy, SystemEntropy},
    columns::{EventColumns, EventRow},
    event::{Event, Message},
    ids::{ConnectionId, ConversationId, EventId, WorkspaceId},
    kind::{Kind, MessageType, Platform, Source},
    log::{Offset, Slot},
    partition::{PartitionDay, RetentionClass, Table},
    time::Millis,
};
use std::sync::Arc;
use tempfile::TempDir;
use test_stores::{Counting, Faulty, Place};
use warehouse::{
    catalog::DataFile,
    file::{DataFilePath, FileError, Files, FilesOptions, NewFile},
};

pub const NOW: Millis = Millis(1_795_335_330_000);
pub const WORKSPACE: WorkspaceId = WorkspaceId([1; 16]);

/// Files over a store that counts and, when told to, fails.
pub struct Bench {
    pub files: Files,
    /// The bare store.
    pub place: Place,
    pub faulty: Faulty,
    pub counting: Arc<Counting>,
    keyring: Keyring,
    _directory: TempDir,
}

impl Bench {
    pub async fn new(directory: TempDir, place: Place) -> Self {
        let (clock, entropy) = (ManualClock::at(NOW), Arc::new(SystemEntropy));
        let kms = FileKms::open(&directory.path().join("keys"), entropy.clone()).unwrap();
        let database = directory.path().join("keys.db");
        let keyring = Keyring::open(KeyringOptions { database: database.into(), kms, clock, entropy }).await.unwrap();
        keyring.create_workspace(WORKSPACE).await.unwrap();
        let counting = Counting::new(place.store.clone());
        let faulty = Faulty::new(counting.clone(), 1);
        let files = files(&faulty, &place, &keyring, Arc::new(SystemEntropy));
        Self { files, place, faulty, counting, keyring, _directory: directory }
    }

    /// Files whose ids and keys follow from a seed: two of them with the same seed write to the same place.
    pub fn seeded(&self, seed: u64) -> Files {
        files(&self.faulty, &self.place, &self.keyring, Arc::new(SeededEntropy::new(seed)))
    }

    /// Files that have read nothing yet.
    pub fn cold(&self) -> Files {
        files(&self.faulty, &self.place, &self.keyring, Arc::new(SystemEntropy))
    }

    pub async fn write(&self, rows: &[EventRow]) -> DataFile {
        self.try_write(rows).await.unwrap()
    }

    pub async fn try_write(&self, rows: &[EventRow]) -> Result<DataFile, FileError> {
        self.files.write(target(), vec![batch(rows)]).await
    }

    /// The object of a file, past counting and faults.
    pub async fn object(&self, file: &DataFile) -> Vec<u8> {
        self.place.store.get(&path(file)).await.unwrap().bytes().await.unwrap().to_vec()
    }

    /// Puts bytes over an object.
    pub async fn overwrite(&self, path: &Path, bytes: Vec<u8>) {
        self.place.store.put(path, PutPayload::from(bytes)).await.unwrap();
    }
}

fn files(faulty: &Faulty, place: &Place, keyring: &Keyring, entropy: SharedEntropy) -> Files {
    Files::new(FilesOptions {
        store: Arc::new(faulty.clone()),
        durability: place.durability.clone(),
        keyring: keyring.clone(),
        clock: ManualClock::at(NOW),
        entropy,
        footer_cache_bytes: 16 << 20,
    })
}

pub fn path(file: &DataFile) -> Path {
    DataFilePath::of(file).object()
}

pub fn target() -> NewFile {
    NewFile {
        workspace: WORKSPACE,
        slot: Slot(0),
        table: Table::Events,
        day: PartitionDay::containing(NOW),
        class: RetentionClass::STANDARD,
    }
}

pub fn batch(rows: &[EventRow]) -> RecordBatch {
    let mut columns = EventColumns::with_capacity(rows.len());
    rows.iter().for_each(|row| columns.push(row).unwrap());
    columns.finish().unwrap()
}

/// `count` messages, in 8 conversations, sorted by conversation; texts as long as asked, which do not compress.
pub fn rows(count: u32, text_bytes: usize) -> Vec<EventRow> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from(state >> 33 & 0x3f).unwrap())
    };
    (0..count)
        .map(|n| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            let event = Event {
                id: EventId(id),
                kind: Kind::Message,
                source: Source::Webhooks,
                connection: ConnectionId([7; 16]),
                platform: Platform::Line,
                conversation: Some(ConversationId([u8::try_from(n * 8 / count).unwrap(); 16])),
                contact: None,
                author: None,
                event_at: Millis(NOW.0 + i64::from(n)),
                claimed_at: None,
                received_at: NOW,
                seq: 0,
                message: Some(Message {
                    platform_id: format!("m{n}"),
                    kind: MessageType::Text,
                    text: Some((0..text_bytes).map(|_| letter()).collect()),
                    attachments: Vec::new(),
                    reply_to: None,
                }),
                amends: None,
                details: "{}".into(),
            };
            EventRow::new(Offset(u64::from(n)), event)
        })
        .collect()
}
