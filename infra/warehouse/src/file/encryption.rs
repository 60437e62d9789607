//! How a file's key is made, kept beside the data and found again (`security.md` §2).
use super::{DataFilePath, FileError};
use crate::catalog::DataFile;
use keys::{DayKey, Keyring};
use parquet::{
    encryption::{
        decrypt::{FileDecryptionProperties, KeyRetriever},
        encrypt::FileEncryptionProperties,
    },
    errors::{ParquetError, Result as ParquetResult},
};
use schemas::clock::SharedEntropy;
use std::sync::Arc;

/// Binds a file to its workspace, table and id: `cm1|<ws>|<table>|<file_id>`.
fn aad_prefix(path: &DataFilePath) -> Vec<u8> {
    format!("cm1|{}|{}|{}", path.workspace, path.table, path.file).into_bytes()
}

/// The properties under which a new file is written: footer key only, so that everything is encrypted.
pub(super) fn encrypt(
    path: &DataFilePath,
    day_key: &DayKey,
    entropy: &SharedEntropy,
) -> Result<Arc<FileEncryptionProperties>, FileError> {
    let (dek, material) = day_key.new_file_key(entropy.as_ref()).map_err(|e| FileError::from_key(path.file, &e))?;
    FileEncryptionProperties::builder(dek.expose().to_vec())
        .with_footer_key_metadata(material.into_bytes())
        .with_aad_prefix(aad_prefix(path))
        .with_aad_prefix_storage(true)
        .build()
        .map_err(|e| FileError::from_parquet(path.file, &e))
}

/// The properties under which a file of the catalog opens.
pub(super) async fn decrypt(file: &DataFile, keyring: &Keyring) -> Result<Arc<FileDecryptionProperties>, FileError> {
    let day_key =
        keyring.day_key(file.workspace, file.day, file.class).await.map_err(|e| FileError::from_key(file.id, &e))?;
    FileDecryptionProperties::with_key_retriever(Arc::new(Unwrap(day_key)))
        .with_aad_prefix(aad_prefix(&DataFilePath::of(file)))
        .build()
        .map_err(|e| FileError::from_parquet(file.id, &e))
}

/// Unwraps the file's key with the one day key that the catalog says, whatever the file says.
struct Unwrap(Arc<DayKey>);

impl KeyRetriever for Unwrap {
    fn retrieve_key(&self, key_metadata: &[u8]) -> ParquetResult<Vec<u8>> {
        let key = self.0.open_file_key(key_metadata).map_err(|e| ParquetError::External(Box::new(e)))?;
        Ok(key.expose().to_vec())
    }
}
