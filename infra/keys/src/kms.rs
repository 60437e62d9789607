//! The key management service that keeps the root keys.
use crate::{error::KeyError, secret::Secret32};
use async_trait::async_trait;

/// The two root keys (`security.md` §1); what one wraps the other does not open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RootKey {
    /// `root-data`: workspace and pseudonym keys.
    Data,
    /// `root-token`: the token vault.
    Token,
}

impl RootKey {
    /// `root-data` or `root-token`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "root-data",
            Self::Token => "root-token",
        }
    }
}

/// A key as a KMS wrapped it. No secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Which root key wrapped it, `r/<n>`. One number is never used for both root keys.
    pub root_key_id: String,
    /// The provider's text, at most 1 KiB.
    pub text: String,
}

/// Wraps keys under root keys that never leave it.
#[async_trait]
pub trait Kms: Send + Sync {
    /// A short name for logs, such as `file`.
    fn provider(&self) -> &'static str;

    /// Wraps `key` under the newest version of `root`. `aad` names the wrapped key and must be given again to unwrap.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when the service cannot be asked.
    async fn wrap(&self, root: RootKey, key: &Secret32, aad: &[u8]) -> Result<Wrapped, KeyError>;

    /// The inverse of [`Self::wrap`], with whichever version wrapped it.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] for a root key that is not there, [`KeyError::Integrity`] when the text does not verify,
    /// [`KeyError::Unavailable`] when the service cannot be asked.
    async fn unwrap(&self, root_key_id: &str, text: &str, aad: &[u8]) -> Result<Secret32, KeyError>;

    /// Makes a new version of `root` and returns its id. Older versions go on to unwrap.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when the service cannot be asked.
    async fn rotate(&self, root: RootKey) -> Result<String, KeyError>;
}
