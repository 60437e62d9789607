//! Making objects durable, and removing them.
use super::{DataFilePath, FileError, Files, claim};
use crate::catalog::DataFile;
use futures::{Stream, StreamExt, TryStreamExt, future::ready, stream};
use object_store::{ObjectStore, ObjectStoreExt};
use schemas::time::Millis;
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
    Store {
        /// Objects above this many bytes are sent in parts of this size. S3 takes no parts below 5 MiB.
        part_bytes: usize,
    },
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
    /// Every object in the bucket, page by page as the store lists them. Only for `scrub`: nothing on the read path
    /// lists.
    ///
    /// # Errors
    /// [`FileError::Unavailable`], after which nothing more comes.
    pub fn objects(&self) -> impl Stream<Item = Result<StoredObject, FileError>> + Send + use<> {
        let listed = self.inner.store.list(None).try_filter(|meta| ready(!claim::is_owner(&meta.location)));
        let objects = listed.map_err(|e| FileError::Unavailable(e.to_string())).map_ok(|meta| StoredObject {
            path: meta.location.as_ref().parse().ok(),
            bytes: meta.size,
            modified_at: Millis(meta.last_modified.timestamp_millis()),
            place: Place::Object(meta.location),
        });
        objects.chain(self.staged())
    }

    /// What puts to a local disk left behind; there is nothing like it in a bucket, or nothing that can be listed.
    fn staged(&self) -> impl Stream<Item = Result<StoredObject, FileError>> + Send + use<> {
        let root = match &self.inner.durability {
            Durability::Local(root) => Some(root.clone()),
            Durability::Store { .. } => None,
        };
        let found = async move {
            let Some(root) = root else { return Ok(Vec::new()) };
            tokio::task::spawn_blocking(move || staged(&root))
                .await
                .map_err(|_| FileError::Unavailable("the listing was stopped".into()))?
                .map_err(|e| FileError::Unavailable(format!("cannot list the store: {e}")))
        };
        stream::once(found).map_ok(|objects| stream::iter(objects.into_iter().map(Ok))).try_flatten()
    }

    /// Compares an object with the length and the SHA-256 of its catalog row.
    ///
    /// # Errors
    /// [`FileError::Integrity`] when they differ; see also [`FileError`].
    pub async fn verify(&self, file: &DataFile) -> Result<(), FileError> {
        let digest = self.digest(&DataFilePath::of(file).object()).await;
        if digest.map_err(|e| FileError::from_store(file.id, &e))? != (file.bytes, file.sha256) {
            return Err(FileError::Integrity { file: file.id, why: "it is not the object that was written".into() });
        }
        Ok(())
    }

    /// Whether a file's object is there, by one small request.
    ///
    /// # Errors
    /// [`FileError::Unavailable`].
    pub async fn exists(&self, file: &DataFile) -> Result<bool, FileError> {
        match self.inner.store.head(&DataFilePath::of(file).object()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(FileError::Unavailable(error.to_string())),
        }
    }

    /// Removes objects that no catalog row names; one that is already gone is fine.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]; some may be removed then, and removing them again is safe.
    pub async fn remove_objects(&self, objects: Vec<StoredObject>) -> Result<(), FileError> {
        let mut locations = Vec::with_capacity(objects.len());
        for object in objects {
            match object.place {
                Place::Object(location) => locations.push(location),
                Place::Staged(path) => match std::fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(FileError::Unavailable(format!("cannot remove a staged file: {error}")));
                    }
                    _ => {}
                },
            }
        }
        self.delete(locations).await
    }

    /// Removes many objects in few requests.
    async fn delete(&self, locations: Vec<object_store::path::Path>) -> Result<(), FileError> {
        let locations = stream::iter(locations.into_iter().map(Ok)).boxed();
        let mut deleted = self.inner.store.delete_stream(locations);
        while let Some(one) = deleted.next().await {
            match one {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(FileError::Unavailable(error.to_string())),
            }
        }
        Ok(())
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
        self.forget(&files.iter().map(|file| file.id).collect::<Vec<_>>()).await;
        self.delete(files.iter().map(|file| DataFilePath::of(file).object()).collect()).await
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
