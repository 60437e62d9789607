//! Data files: where they lie, their only writer and their only reader.
//!
//! A file is Parquet with uniform modular encryption (`security.md` §2). Its AAD prefix is rebuilt from the catalog's
//! row, so a file that was moved, swapped or edited does not open. Readers are given catalog rows, never paths: nothing
//! here lists the bucket on the read path.
mod claim;
mod encryption;
mod footer;
mod path;
mod properties;
mod put;
mod read;
mod scan;
mod slice;
mod store;
mod write;

pub use claim::ClaimError;
pub use path::{DataFilePath, InvalidPath};
pub use scan::ScanFilter;
pub use store::{Durability, StoredObject};
pub use write::NewFile;

use keys::{KeyError, KeyErrorClass, Keyring};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use schemas::{
    clock::{SharedClock, SharedEntropy},
    ids::DataFileId,
};
use std::sync::Arc;

/// What went wrong, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The store or the key store does not answer. Try again.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The object is gone: the snapshot is older than the reader grace, or the file was expired. Take a newer snapshot.
    #[error("data file {0} is gone")]
    Gone(DataFileId),
    /// The key is destroyed: the day is expired or the workspace deleted.
    #[error("the key of data file {0} is destroyed")]
    KeyDestroyed(DataFileId),
    /// The file does not verify: damaged, swapped, or not what was written. Stop and alert.
    #[error("integrity of data file {file}: {why}")]
    Integrity {
        /// Which file.
        file: DataFileId,
        /// What does not hold; no content.
        why: String,
    },
    /// A file of another workspace was given to a query. A bug; nothing was read.
    #[error("data file {0} belongs to another workspace")]
    ForeignFile(DataFileId),
}

/// What [`Files`] is made of.
pub struct FilesOptions {
    /// The bucket.
    pub store: Arc<dyn ObjectStore>,
    /// How a written object is made durable before it is committed.
    pub durability: Durability,
    /// Day keys.
    pub keyring: Keyring,
    /// The time.
    pub clock: SharedClock,
    /// File ids and keys.
    pub entropy: SharedEntropy,
    /// Bytes that decrypted footers and indexes may take.
    pub footer_cache_bytes: u64,
}

/// The data files of a warehouse. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub store: Arc<dyn ObjectStore>,
    pub durability: Durability,
    pub keyring: Keyring,
    pub clock: SharedClock,
    pub entropy: SharedEntropy,
    pub footers: moka::future::Cache<DataFileId, ArrowReaderMetadata>,
    pub task: Arc<datafusion::execution::TaskContext>,
}

impl Files {
    /// The data files in this store.
    pub fn new(options: FilesOptions) -> Self {
        let footers = moka::future::Cache::builder()
            .max_capacity(options.footer_cache_bytes)
            .weigher(|_, footer: &ArrowReaderMetadata| {
                u32::try_from(footer.metadata().memory_size()).unwrap_or(u32::MAX)
            })
            // A decrypted footer holds the file's key: no longer in memory than any plaintext key (`security.md` §1).
            .time_to_live(std::time::Duration::from_secs(600))
            .build();
        let task = scan::task_context(options.store.clone());
        Self {
            inner: Arc::new(Inner {
                store: options.store,
                durability: options.durability,
                keyring: options.keyring,
                clock: options.clock,
                entropy: options.entropy,
                footers,
                task,
            }),
        }
    }

    /// Forgets the decrypted footers of files whose key goes.
    pub async fn forget(&self, files: &[DataFileId]) {
        for file in files {
            self.inner.footers.invalidate(file).await;
        }
    }
}

impl FileError {
    pub(crate) fn from_key(file: DataFileId, error: &KeyError) -> Self {
        match error.class() {
            KeyErrorClass::Retry => Self::Unavailable(error.to_string()),
            KeyErrorClass::Destroyed => Self::KeyDestroyed(file),
            KeyErrorClass::Integrity => Self::Integrity { file, why: error.to_string() },
        }
    }

    pub(crate) fn from_store(file: DataFileId, error: &object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Gone(file),
            other => Self::Unavailable(other.to_string()),
        }
    }

    /// The parquet crate reports a store's error and a wrong tag alike as its own; what the store said is inside.
    pub(crate) fn from_parquet(file: DataFileId, error: &parquet::errors::ParquetError) -> Self {
        if let parquet::errors::ParquetError::External(inner) = error
            && let Some(error) = inner.downcast_ref::<object_store::Error>()
        {
            return Self::from_store(file, error);
        }
        // The text of a parse error could quote cell values; its kind is enough.
        let why = match error {
            parquet::errors::ParquetError::EOF(_) => "the file ends early",
            _ => "the file does not open under its key and place",
        };
        Self::Integrity { file, why: why.into() }
    }
}
