//! The token vault (`security.md` §4): platform tokens in a database of their own, under a root key of their own. No
//! call returns or lists a token; it is used inside a closure.
mod change;
mod destroy;
mod expiry;
mod open;
mod seal;

pub use expiry::Expiring;

use crate::{
    db::{Purpose, Store, token_rows},
    error::KeyError,
    kms::{Kms, RootKey},
    masters::Masters,
};
use database::Address;
use schemas::clock::{SharedClock, SharedEntropy};
use std::{sync::Arc, time::Duration};

/// How often plaintext keys that are too old are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// What a vault is made of.
pub struct VaultOptions {
    /// The vault's own database.
    pub database: Address,
    /// Keeps the root key `root-token`.
    pub kms: Arc<dyn Kms>,
    /// Ages cached keys.
    pub clock: SharedClock,
    /// Makes keys and nonces. In production nothing but the operating system's.
    pub entropy: SharedEntropy,
}

/// A handle on the token vault; clones share everything.
///
/// A connection's secrets have kinds, such as `access` or `webhook`, and each kind has generations: one is active, or
/// two while one replaces the other. Whether a secret may be used is read from the database at every use.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<Store>,
    masters: Masters,
    entropy: SharedEntropy,
}

impl Vault {
    /// Opens the vault.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] when the database cannot be opened or is of a newer format.
    pub async fn open(options: VaultOptions) -> Result<Self, KeyError> {
        let VaultOptions { database, kms, clock, entropy } = options;
        let store = Arc::new(Store::open(&database, Purpose::Vault, token_rows::tables).await?);
        let masters = Masters::new(store.clone(), kms, RootKey::Token, clock, entropy.clone());
        let inner = Arc::new(Inner { store, masters, entropy });
        let weak = Arc::downgrade(&inner);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                let Some(inner) = weak.upgrade() else { break };
                inner.masters.sweep();
            }
        });
        Ok(Self { inner })
    }

    /// A number that changes whenever anything in the vault does: what is derived from a secret may be kept while it
    /// stands. One indexed read.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`].
    pub async fn generation(&self) -> Result<u64, KeyError> {
        let generation = self.inner.store.generation().await?;
        u64::try_from(generation).map_err(|_| KeyError::Integrity("the vault's generation".into()))
    }
}
