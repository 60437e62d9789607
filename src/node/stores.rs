//! What lies on the disk, in databases or in a bucket, opened: keys, vault, catalog, registry; and, where they take part,
//! log and files.
use super::{DataDir, StartError, gap, log, parts, store};
use crate::config::Config;
use event_log::{EventLog, SharedLog};
use keys::{FileKms, Keyring, KeyringOptions, Vault, VaultOptions};
use schemas::{
    clock::{SharedClock, SharedEntropy, SystemClock, SystemEntropy},
    log::Slot,
};
use std::sync::Arc;
use transform::scrub::owner_of;
use warehouse::{
    catalog::{Catalog, SqlCatalog, SqlCatalogOptions},
    duplicates::Duplicates,
    file::{Files, FilesOptions},
    registry::{Registry, RegistryOptions},
};

/// Memory for decrypted footers, and for what the duplicate check keeps of files: the fronts of 16 million ids, which is
/// nearly the hour at 5,000 events/s in which it looks for echoes.
const FOOTER_CACHE_BYTES: u64 = 64 << 20;
const ID_CACHE_BYTES: u64 = 128 << 20;

/// Who exists, and the keys.
pub struct Stores {
    pub clock: SharedClock,
    pub entropy: SharedEntropy,
    pub keyring: Keyring,
    /// Only in a process that takes webhooks, and in one of a command: no other may open a token.
    pub vault: Option<Vault>,
    pub catalog: Arc<SqlCatalog>,
    pub registry: Registry,
}

/// The events.
#[derive(Clone)]
pub struct Events {
    pub log: SharedLog,
    pub files: Files,
    pub duplicates: Duplicates,
}

impl Stores {
    /// Opens, and makes what is missing; the vault and its root key only where they are wanted.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn open(config: &Config, directory: &DataDir, with_vault: bool) -> Result<Self, StartError> {
        let clock: SharedClock = Arc::new(SystemClock);
        let entropy: SharedEntropy = Arc::new(SystemEntropy);
        parts::check(config, directory.path())?;
        let root_keys = match &config.kms.directory {
            Some(shared) => shared.clone(),
            None => directory.directory("keys")?,
        };
        let kms = match with_vault {
            true => FileKms::open(&root_keys, entropy.clone()),
            false => FileKms::open_without_tokens(&root_keys, entropy.clone()),
        };
        let kms = kms.map_err(StartError::part)?;
        let keyring = Keyring::open(KeyringOptions {
            database: config.keys.server().address(directory.file("keys.db"))?,
            kms: kms.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        });
        let keyring = keyring.await.map_err(StartError::part_of("key store"))?;
        let vault = match with_vault {
            true => {
                let database = config.vault.server().address(directory.file("vault.db"))?;
                let options = VaultOptions { database, kms, clock: clock.clone(), entropy: entropy.clone() };
                Some(Vault::open(options).await.map_err(StartError::part_of("vault"))?)
            }
            false => None,
        };
        let database = config.catalog.server().address(directory.file("catalog.db"))?;
        let catalog = SqlCatalogOptions { database, clock: clock.clone() };
        let catalog = SqlCatalog::open(catalog).await.map_err(StartError::part)?;
        // A workspace must not be put into a slot that the log does not have.
        let bound = catalog.snapshots().await.map_err(StartError::part)?.len();
        if bound != 0 && bound != config.log.slots as usize {
            return Err(StartError::Part(format!(
                "the data directory was made with log.slots = {bound}, which cannot be changed to {}",
                config.log.slots
            )));
        }
        let registry = Registry::open(RegistryOptions {
            catalog: catalog.clone(),
            keyring: keyring.clone(),
            slots: config.log.slots,
            clock: clock.clone(),
            entropy: entropy.clone(),
        });
        let registry = registry.await.map_err(StartError::part)?;
        Ok(Self { clock, entropy, keyring, vault, catalog, registry })
    }

    /// Opens log and files beside them.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn open_events(&self, config: &Config, directory: &DataDir) -> Result<Events, StartError> {
        let patience = log::Patience::of_a_start();
        let log = log::open(config, directory, &self.clock, &self.entropy, patience).await?;
        self.catalog.bind_log(log.epoch(), log.slots()).await.map_err(StartError::part)?;
        for snapshot in self.catalog.snapshots().await.map_err(StartError::part)? {
            let (slot, next) = (snapshot.slot, snapshot.next);
            let held = log::held(log.as_ref(), slot, patience).await?;
            if let Some(why) = gap::between(slot, next, &held) {
                return Err(StartError::Part(why));
            }
        }
        let (store, durability) = store::open(config, directory)?;
        let files = Files::new(FilesOptions {
            store,
            durability,
            keyring: self.keyring.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            footer_cache_bytes: FOOTER_CACHE_BYTES,
        });
        store::claim(&files, &owner_of(log.epoch())).await?;
        let duplicates = Duplicates::new(files.clone(), self.catalog.clone(), ID_CACHE_BYTES);
        Ok(Events { log, files, duplicates })
    }
}

/// Every slot of a log.
pub fn slots(log: &dyn EventLog) -> impl Iterator<Item = Slot> + use<> {
    (0..log.slots()).map(Slot)
}
