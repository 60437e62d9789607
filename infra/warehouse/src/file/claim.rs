//! Whose bucket it is. Two warehouses in one place would each take the other's files for garbage.
use super::{Durability, Files};
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};

/// The object that says it. It is no data file and lies beside them.
const OWNER: &str = "owner";

/// Why a store may not be used.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// It does not answer. Try again.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It belongs to another warehouse. Name another bucket or folder.
    #[error("the store belongs to another warehouse: its object `owner` says {found:?}, this is {ours:?}")]
    Foreign {
        /// What the object says, at most 64 characters of it.
        found: String,
        /// What it should say.
        ours: String,
    },
}

pub(super) fn is_owner(location: &Path) -> bool {
    location.as_ref() == OWNER
}

impl Files {
    /// Makes the store this warehouse's own, or checks that it is; one small request when it is. A local disk belongs
    /// to the data directory: there it is only looked whether it can be reached.
    ///
    /// `owner` is a short text that no other warehouse has. A store puts an object whole or not at all, as S3, Google and
    /// Azure promise: a claim that was cut off says of nobody that he may go on, and is refused as another's.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub async fn claim(&self, owner: &str) -> Result<(), ClaimError> {
        let away = |e: &dyn std::fmt::Display| ClaimError::Unavailable(e.to_string());
        if let Durability::Local(root) = &self.inner.durability {
            return tokio::fs::metadata(root).await.map(|_| ()).map_err(|e| away(&e));
        }
        let (store, location) = (&self.inner.store, Path::from(OWNER));
        loop {
            match store.get(&location).await {
                Ok(found) => {
                    let found = found.bytes().await.map_err(|e| away(&e))?;
                    let found = String::from_utf8_lossy(&found);
                    if found.trim_end() == owner {
                        return Ok(());
                    }
                    let found = found.trim_end().chars().take(64).collect();
                    return Err(ClaimError::Foreign { found, ours: owner.to_owned() });
                }
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(away(&error)),
            }
            let text = format!("{owner}\n");
            match store.put_opts(&location, text.into(), PutOptions::from(PutMode::Create)).await {
                Ok(_) => return Ok(()),
                // Ours, with a lost answer, or somebody else's: it is read again.
                Err(Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(away(&error)),
            }
        }
    }
}
