//! The object store of the data files: the local disk, or a bucket.
use super::{DataDir, StartError};
use crate::config::{Config, ConfigError, Store, StoreUrl};
use object_store::{ObjectStore, local::LocalFileSystem};
use std::{sync::Arc, time::Duration};
use warehouse::{
    file::{ClaimError, Durability, Files},
    store::{BucketOptions, Credentials, Location},
};

/// How long a start waits for its store.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the store that is configured. A bucket is not asked for anything yet.
///
/// # Errors
/// [`StartError`].
pub fn open(config: &Config, directory: &DataDir) -> Result<(Arc<dyn ObjectStore>, Durability), StartError> {
    match &config.store.url {
        Some(StoreUrl(location)) => bucket(&config.store, location),
        None => {
            let root = directory.directory("store")?;
            let store = LocalFileSystem::new_with_prefix(&root).map_err(StartError::part)?;
            Ok((Arc::new(store), Durability::Local(root)))
        }
    }
}

fn bucket(store: &Store, location: &Location) -> Result<(Arc<dyn ObjectStore>, Durability), StartError> {
    let credentials = match (store.access_key()?, &store.credentials_file) {
        (Some((id, secret)), _) => {
            let secret = std::str::from_utf8(secret.expose())
                .map_err(|_| ConfigError::new("the file of store.secret_access_key_file is not UTF-8"))?;
            Credentials::Key { id, secret: secret.to_owned() }
        }
        (None, Some(file)) => Credentials::File(file.clone()),
        (None, None) => Credentials::Environment(std::env::vars().collect()),
    };
    let tls = match &store.ca_certificate {
        Some(ca) => serve::tls::client_config(ca),
        None => serve::tls::public_client_config(),
    };
    let part_bytes = usize::try_from(store.part_bytes.0).unwrap_or(usize::MAX);
    let opened = warehouse::store::open(BucketOptions {
        location: location.clone(),
        endpoint: store.endpoint.clone(),
        region: store.region.clone(),
        credentials,
        tls: tls.map_err(StartError::part)?,
        connect_timeout: store.connect_timeout.0,
        timeout: store.timeout.0,
        retries: store.retries,
        retry_time: store.retry_time.0,
    });
    Ok((opened.map_err(StartError::part)?, Durability::Store { part_bytes }))
}

/// Makes the store this directory's own. One that does not answer does not keep the process from starting: events are
/// taken and served meanwhile, and nothing is removed from a store before it has been asked.
///
/// # Errors
/// [`StartError::Part`] when it belongs to another warehouse.
pub async fn claim(files: &Files, owner: &str) -> Result<(), StartError> {
    let claimed = tokio::time::timeout(PATIENCE, files.claim(owner)).await;
    match claimed.unwrap_or_else(|_| Err(ClaimError::Unavailable("it does not answer".into()))) {
        Ok(()) => Ok(()),
        Err(error @ ClaimError::Unavailable(_)) => {
            tracing::warn!(%error, "the process starts without its store");
            Ok(())
        }
        Err(error @ ClaimError::Foreign { .. }) => Err(StartError::part(error)),
    }
}
