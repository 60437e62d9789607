//! Making objects durable, and removing them.
use super::{DataFilePath, FileError, Files};
use crate::catalog::DataFile;
use object_store::ObjectStoreExt;
use std::{fs::File, io, path::{Path, PathBuf}};

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

impl Files {
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
