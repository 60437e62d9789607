//! Decrypted footers and page indexes, cached under a budget.
use super::{DataFilePath, FileError, Files, encryption};
use crate::catalog::DataFile;
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::{
    arrow::{
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
        async_reader::{AsyncFileReader, MetadataFetch},
    },
    errors::{ParquetError, Result as ParquetResult},
    file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
};
use std::{ops::Range, sync::Arc};

/// Bytes read from the end of a file at first: footers of ordinary files fit.
const FOOTER_HINT: usize = 64 * 1024;

/// One file, read by ranges, with its footer already open.
pub(super) struct OpenFile {
    store: Arc<dyn ObjectStore>,
    path: object_store::path::Path,
    footer: ArrowReaderMetadata,
}

impl OpenFile {
    pub fn arrow_metadata(&self) -> ArrowReaderMetadata {
        self.footer.clone()
    }
}

/// The file's end is at hand; what lies before it is asked for.
struct Fetch<'a> {
    store: &'a Arc<dyn ObjectStore>,
    path: &'a object_store::path::Path,
    tail: Range<u64>,
    end: &'a Bytes,
}

impl Fetch<'_> {
    fn at_hand(&self, range: &Range<u64>) -> Option<Bytes> {
        let from = usize::try_from(range.start.checked_sub(self.tail.start)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(self.tail.start)?).ok()?;
        (from <= to && to <= self.end.len()).then(|| self.end.slice(from..to))
    }
}

impl MetadataFetch for Fetch<'_> {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move {
            match self.at_hand(&range) {
                Some(bytes) => Ok(bytes),
                None => self.store.get_range(self.path, range).await.map_err(external),
            }
        }
        .boxed()
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for OpenFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move { self.store.get_range(&self.path, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let footer = self.footer.metadata().clone();
        async move { Ok(footer) }.boxed()
    }
}

impl Files {
    /// The open footer of a file, from the cache or the store.
    pub(super) async fn footer(&self, file: &DataFile) -> Result<ArrowReaderMetadata, FileError> {
        if let Some(footer) = self.inner.footers.get(&file.id).await {
            // A destroyed key closes what it had opened, also of files that were replaced before and that `expire` does
            // not know any more. The keyring has the key at hand.
            let key = self.inner.keyring.day_key(file.workspace, file.day, file.class).await;
            key.map_err(|e| FileError::from_key(file.id, &e))?;
            return Ok(footer);
        }
        let decryption = encryption::decrypt(file, &self.inner.keyring).await?;
        let path = DataFilePath::of(file).object();
        // The parquet crate looks at the magic at the end only, and takes one of a plain file too. Both ends of an ordinary file are one request.
        let tail = file.bytes.saturating_sub(FOOTER_HINT as u64)..file.bytes;
        let ends = self.inner.store.get_ranges(&path, &[0..4.min(file.bytes), tail.clone()]).await;
        let ends = match ends {
            Ok(ends) => ends,
            Err(error) => return Err(self.why_unread(file, &path, &error).await),
        };
        let [magic, end] = ends.as_slice() else {
            return Err(FileError::Unavailable("the store answers with other ranges than it was asked for".into()));
        };
        // Both: a footer in clear would be read as one, whatever key is at hand.
        if magic.as_ref() != b"PARE" || !end.ends_with(b"PARE") {
            let why = "it does not begin and end as an encrypted file".into();
            return Err(FileError::Integrity { file: file.id, why });
        }
        let mut reader = ParquetMetaDataReader::new()
            .with_prefetch_hint(Some(FOOTER_HINT))
            // An index that does not open is damage, not a file without one.
            .with_column_index_policy(PageIndexPolicy::Optional)
            .with_offset_index_policy(PageIndexPolicy::Required)
            .with_decryption_properties(Some(decryption));
        reader
            .try_load(Fetch { store: &self.inner.store, path: &path, tail, end }, file.bytes)
            .await
            .map_err(|e| FileError::from_parquet(file.id, &e))?;
        let footer = Arc::new(reader.finish().map_err(|e| FileError::from_parquet(file.id, &e))?);
        if u64::try_from(footer.file_metadata().num_rows()).ok() != Some(file.rows) {
            return Err(FileError::Integrity { file: file.id, why: "it does not have the catalog's rows".into() });
        }
        let footer = ArrowReaderMetadata::try_new(footer, ArrowReaderOptions::new())
            .map_err(|e| FileError::from_parquet(file.id, &e))?;
        self.inner.footers.insert(file.id, footer.clone()).await;
        Ok(footer)
    }

    /// What it means that a file's ends cannot be read: stores do not say that a range lies behind an object's end in a
    /// word of their own, and an object that is too short is damage, which asking again does not mend.
    async fn why_unread(
        &self,
        file: &DataFile,
        path: &object_store::path::Path,
        error: &object_store::Error,
    ) -> FileError {
        match self.inner.store.head(path).await {
            Ok(meta) if meta.size != file.bytes => FileError::Integrity {
                file: file.id,
                why: format!("it has {} bytes and not the catalog's {}", meta.size, file.bytes),
            },
            _ => FileError::from_store(file.id, error),
        }
    }

    /// A file with its footer open.
    pub(super) async fn open(&self, file: &DataFile) -> Result<OpenFile, FileError> {
        let footer = self.footer(file).await?;
        Ok(self.open_with(file, footer))
    }

    /// A file whose footer was opened before.
    pub(super) fn open_with(&self, file: &DataFile, footer: ArrowReaderMetadata) -> OpenFile {
        OpenFile { store: self.inner.store.clone(), path: DataFilePath::of(file).object(), footer }
    }
}
