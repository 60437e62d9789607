//! Puts an object where none is, also when the answer is lost.
//!
//! A put that is told that its object exists already has met either its own earlier try, whose answer was lost, or
//! something else. Length and SHA-256 say which. Nothing is ever written over.
use super::{DataFilePath, Durability, FileError, Files};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};
use sha2::{Digest, Sha256};

/// How often a put is tried whose fate is unknown. Within each the store's client tries again by itself, with pauses.
const TRIES: usize = 3;
/// Parts that are sent at once: bounds what a slow store can pile up.
const PARTS_AT_ONCE: usize = 4;

/// What lies where an object was to be put.
enum There {
    Nothing,
    TheSame,
    Another,
}

impl Files {
    /// Puts a new file's bytes.
    ///
    /// # Errors
    /// [`FileError::Unavailable`]: the object may be there or not, and a new try takes a new file id.
    pub(super) async fn put(&self, path: &DataFilePath, bytes: Bytes, sha256: [u8; 32]) -> Result<(), FileError> {
        let location = path.object();
        let mut tries = 1;
        loop {
            let error = match self.put_once(&location, &bytes).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let unknown = is_unknown(&error);
            if unknown || matches!(error, Error::AlreadyExists { .. }) {
                match self.there(&location, &bytes, &sha256).await {
                    Ok(There::TheSame) => return Ok(()),
                    Ok(There::Another) => {
                        return Err(FileError::Unavailable(format!("another object lies at {location}")));
                    }
                    Ok(There::Nothing) => {}
                    Err(_) if unknown => {}
                    Err(error) => return Err(FileError::Unavailable(error.to_string())),
                }
            }
            if !unknown || tries == TRIES {
                return Err(FileError::Unavailable(error.to_string()));
            }
            tracing::debug!(%location, %error, tries, "the put is tried again");
            tries += 1;
        }
    }

    async fn put_once(&self, location: &Path, bytes: &Bytes) -> object_store::Result<()> {
        match self.inner.durability {
            Durability::Store { part_bytes } if bytes.len() > part_bytes.max(1) => {
                self.put_parts(location, bytes, part_bytes.max(1)).await
            }
            _ => {
                let options = PutOptions::from(PutMode::Create);
                self.inner.store.put_opts(location, bytes.clone().into(), options).await.map(|_| ())
            }
        }
    }

    /// Sends an object in parts, which are nothing until they are put together. What is cut off leaves parts that no
    /// listing shows; the bucket's own rule removes them.
    async fn put_parts(&self, location: &Path, bytes: &Bytes, part_bytes: usize) -> object_store::Result<()> {
        let store = &self.inner.store;
        // Putting together takes no condition, so it is asked for before. The name is a random number of ours: nobody
        // else writes there meanwhile.
        match store.head(location).await {
            Err(Error::NotFound { .. }) => {}
            Ok(_) => {
                return Err(Error::AlreadyExists { path: location.to_string(), source: "it was there before".into() });
            }
            Err(error) => return Err(error),
        }
        let mut upload = store.put_multipart(location).await?;
        let parts: Vec<_> = (0..bytes.len())
            .step_by(part_bytes)
            .map(|from| upload.put_part(bytes.slice(from..bytes.len().min(from + part_bytes)).into()))
            .collect();
        let sent = stream::iter(parts).buffer_unordered(PARTS_AT_ONCE).try_collect::<()>().await;
        let done = match sent {
            Ok(()) => upload.complete().await.map(|_| ()),
            Err(error) => Err(error),
        };
        if done.is_err() {
            // If it was put together after all, there is nothing left to abort.
            let _ = upload.abort().await;
        }
        done
    }

    async fn there(&self, location: &Path, bytes: &Bytes, sha256: &[u8; 32]) -> object_store::Result<There> {
        match self.inner.store.head(location).await {
            Ok(meta) if meta.size != bytes.len() as u64 => return Ok(There::Another),
            Ok(_) => {}
            Err(Error::NotFound { .. }) => return Ok(There::Nothing),
            Err(error) => return Err(error),
        }
        match self.digest(location).await {
            Ok((length, digest)) if length == bytes.len() as u64 && digest == *sha256 => Ok(There::TheSame),
            Ok(_) => Ok(There::Another),
            Err(Error::NotFound { .. }) => Ok(There::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Length and SHA-256 of an object.
    pub(super) async fn digest(&self, location: &Path) -> object_store::Result<(u64, [u8; 32])> {
        let mut stream = self.inner.store.get(location).await?.into_stream();
        let (mut digest, mut length) = (Sha256::new(), 0);
        while let Some(chunk) = stream.try_next().await? {
            digest.update(&chunk);
            length += chunk.len() as u64;
        }
        Ok((length, digest.finalize().into()))
    }
}

/// Whether a put may have happened although it failed, and may succeed when tried again. What the store refused by name
/// it refuses again.
fn is_unknown(error: &Error) -> bool {
    matches!(error, Error::Generic { .. } | Error::JoinError { .. })
}
