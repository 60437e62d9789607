//! Making objects durable, and removing them.
use super::{DataFilePath, FileError, Files};
use crate::catalog::DataFile;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use schemas::{ids::DataFileId, time::Millis};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// From how many files on one `syncfs` is cheaper than an `fsync` each. Both leave the same behind.
const SYNC_TOGETHER: usize = 8;

/// How a written object is made durable.
#[derive(Clone, Debug)]
pub enum Durability {
    /// The store says so itself once a put is answered (S3 and the like).
    Store,
    /// Files under this directory; they and their directories are synced.
    Local(PathBuf),
}

#[derive(Clone, Debug)]
enum Place {
    Object(object_store::path::Path),
    /// What a put to a local disk leaves behind when the process is killed in it; the store itself does not list it.
    Staged(PathBuf),
}

/// An object in the bucket, for `scrub`.
#[derive(Clone, Debug)]
pub struct StoredObject {
    place: Place,
    /// What its path says; `None` for one that no writer of ours made, such as a put that was cut off.
    pub path: Option<DataFilePath>,
    /// Its length.
    pub bytes: u64,
    /// When it was written.
    pub modified_at: Millis,
}

impl Files {
    /// Every object in the bucket. Only for `scrub`: nothing on the read path lists.
    ///
    /// # Errors
    /// [`FileError::Unavailable`].
    pub async fn list(&self) -> Result<Vec<StoredObject>, FileError> {
        let fault = |e: object_store::Error| FileError::from_store(DataFileId::default(), &e);
        let objects = self.inner.store.list(None).map_ok(|meta| StoredObject {
            path: meta.location.as_ref().parse().ok(),
            bytes: meta.size,
            modified_at: Millis(meta.last_modified.timestamp_millis()),
            place: Place::Object(meta.location),
        });
        let mut objects: Vec<StoredObject> = objects.try_collect().await.map_err(fault)?;
        if let Durability::Local(root) = &self.inner.durability {
            let root = root.clone();
            let staged = tokio::task::spawn_blocking(move || staged(&root))
                .await
                .map_err(|_| FileError::Unavailable("the listing was stopped".into()))?;
            objects.extend(staged.map_err(|e| FileError::Unavailable(format!("cannot list the store: {e}")))?);
        }
        Ok(objects)
    }

    /// Compares an object with the length and the SHA-256 of its catalog row.
    ///
    /// # Errors
    /// [`FileError::Integrity`] when they differ; see also [`FileError`].
    pub async fn verify(&self, file: &DataFile) -> Result<(), FileError> {
        let fault = |e: object_store::Error| FileError::from_store(file.id, &e);
        let object = self.inner.store.get(&DataFilePath::of(file).object()).await.map_err(fault)?;
        let mut stream = object.into_stream();
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        while let Some(chunk) = stream.try_next().await.map_err(fault)? {
            digest.update(&chunk);
            bytes += chunk.len() as u64;
        }
        if bytes != file.bytes || <[u8; 32]>::from(digest.finalize()) != file.sha256 {
            return Err(FileError::Integrity { file: file.id, why: "it is not the object that was written".into() });
        }
        Ok(())
    }

    /// Removes an object that no catalog row names.
    ///
    /// # Errors
    /// [`FileError::Unavailable`].
    pub async fn remove_object(&self, object: &StoredObject) -> Result<(), FileError> {
        let deleted = match &object.place {
            Place::Object(location) => self.inner.store.delete(location).await,
            Place::Staged(path) => {
                return match std::fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(FileError::Unavailable(format!("cannot remove a staged file: {error}")))
                    }
                    _ => Ok(()),
                };
            }
        };
        match deleted {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(FileError::from_store(DataFileId::default(), &error)),
        }
    }

    /// Makes written files durable. Comes after [`Files::write`] and before the commit that names them.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; nothing may be committed then.
    pub async fn make_durable(&self, files: &[DataFile]) -> Result<(), FileError> {
        let Durability::Local(root) = &self.inner.durability else { return Ok(()) };
        let (root, paths) = (root.clone(), files.iter().map(DataFilePath::of).collect::<Vec<_>>());
        tokio::task::spawn_blocking(move || sync(&root, &paths))
            .await
            .map_err(|_| FileError::Unavailable("the sync was stopped".into()))?
            .map_err(|e| FileError::Unavailable(format!("cannot sync the store: {e}")))
    }

    /// Removes the objects of files; one that is already gone is fine.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; some may be removed then, and removing them again is safe.
    pub async fn remove(&self, files: &[DataFile]) -> Result<(), FileError> {
        for file in files {
            self.inner.footers.invalidate(&file.id).await;
            match self.inner.store.delete(&DataFilePath::of(file).object()).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(FileError::from_store(file.id, &error)),
            }
        }
        Ok(())
    }
}

/// Files that a put began and never finished: their names end in `#<number>`.
fn staged(root: &Path) -> io::Result<Vec<StoredObject>> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file() && entry.file_name().to_string_lossy().contains('#') {
                let meta = entry.metadata()?;
                let since = meta.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                found.push(StoredObject {
                    place: Place::Staged(entry.path()),
                    path: None,
                    bytes: meta.len(),
                    modified_at: Millis(0) + since,
                });
            }
        }
    }
    Ok(found)
}

fn sync(root: &Path, paths: &[DataFilePath]) -> io::Result<()> {
    if paths.len() >= SYNC_TOGETHER {
        return Ok(rustix::fs::syncfs(File::open(root)?)?);
    }
    for path in paths {
        let file = root.join(path.to_string());
        File::open(&file)?.sync_all()?;
        // The directories may be new as well.
        for directory in file.ancestors().skip(1).take_while(|d| d.starts_with(root)) {
            File::open(directory)?.sync_all()?;
        }
    }
    Ok(())
}
