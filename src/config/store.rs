//! Where the data files lie, and how that place is reached.
use super::{
    Config, ConfigError, Secret,
    section::section,
    units::{Size, Span},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{path::PathBuf, time::Duration};
use warehouse::store::{Location, Provider};

/// A bucket and a folder in it, as [`Location`] is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreUrl(pub Location);

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer).unwrap_or_default();
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

const fn seconds(seconds: u64) -> Span {
    Span(Duration::from_secs(seconds))
}

section! {
    /// Where the data files lie. Without `store.url` it is `store/` in the data directory.
    Store in "store" {
        /// Bucket and folder: `s3://bucket/folder` (also for services that speak like S3), `gs://bucket/folder` or
        /// `az://container/folder`. It belongs to one data directory alone, which an object in it says.
        url: Option<StoreUrl> = None, e.g. "\"s3://chatmai-data/production\"";
        /// URL of another service than the provider's own; `https` only.
        endpoint: Option<String> = None, e.g. "\"https://s3.example.org\"";
        /// Region of the bucket, for S3. Default: what the environment says, else `us-east-1`.
        region: Option<String> = None, e.g. "\"eu-central-1\"";
        /// Access key id (S3), or the name of the account (Azure). Needs `store.secret_access_key_file`. Without credentials
        /// here the environment's are used, or the role of the machine.
        access_key_id: Option<String> = None, e.g. "\"AKIAIOSFODNN7EXAMPLE\"";
        /// Path of a file with the secret access key (S3), or the account's key (Azure). Read at start.
        secret_access_key_file: Option<PathBuf> = None, e.g. "\"/run/secrets/store-key\"";
        /// Path of the JSON file of a service account (Google).
        credentials_file: Option<PathBuf> = None, e.g. "\"/run/secrets/service-account.json\"";
        /// Path of the CA certificate, PEM, that signed the service's. Then no other is trusted. Default: what the system
        /// trusts.
        ca_certificate: Option<PathBuf> = None, e.g. "\"/etc/chatmai/tls/store-ca.pem\"";
        /// Time in which a connection must stand.
        connect_timeout: Span = seconds(5), e.g. "\"2s\"";
        /// Time in which an answer must begin, and within which each next piece of it must come. A part of an upload must have
        /// gone out in it.
        timeout: Span = seconds(20), e.g. "\"1m\"";
        /// How often one request is tried again, with growing pauses, where trying again is safe.
        retries: usize = 5, e.g. "10";
        /// Time after which one request is not tried again.
        retry_time: Span = seconds(40), e.g. "\"2m\"";
        /// Size of the parts in which larger files are sent. From 5MiB to 1GiB.
        part_bytes: Size = Size(16 << 20), e.g. "\"8MiB\"";
    }
}

impl Store {
    /// The access key, if one is set: id and secret.
    ///
    /// # Errors
    /// When its file cannot be read, or is no text.
    pub fn access_key(&self) -> Result<Option<(String, Secret)>, ConfigError> {
        match (&self.access_key_id, &self.secret_access_key_file) {
            (Some(id), Some(file)) => Ok(Some((id.clone(), Secret::read(file)?))),
            _ => Ok(None),
        }
    }
}

impl Config {
    pub(super) fn check_store(&self) -> Result<(), ConfigError> {
        let (store, fail) = (&self.store, |text: &str| Err(ConfigError::new(text)));
        let provider = match &store.url {
            Some(StoreUrl(location)) => location.provider,
            None if *store != Store::default() => return fail("the settings of [store] need store.url"),
            None => return Ok(()),
        };
        if store.endpoint.as_ref().is_some_and(|endpoint| !endpoint.starts_with("https://")) {
            return fail("store.endpoint is an https URL; nothing is sent unencrypted");
        }
        if store.access_key_id.is_some() != store.secret_access_key_file.is_some() {
            return fail("store.access_key_id and store.secret_access_key_file are set together or not at all");
        }
        if provider == Provider::Gcs && store.access_key_id.is_some() {
            return fail("a gs:// store takes store.credentials_file, not an access key");
        }
        if provider != Provider::Gcs && store.credentials_file.is_some() {
            return fail("store.credentials_file is for gs:// stores; others take an access key");
        }
        if provider != Provider::S3 && store.region.is_some() {
            return fail("store.region is for s3:// stores");
        }
        if store.connect_timeout.0.is_zero() || store.timeout.0.is_zero() {
            return fail("store.connect_timeout and store.timeout are above zero");
        }
        if !(5 << 20..=1 << 30).contains(&store.part_bytes.0) {
            return fail("store.part_bytes is 5MiB to 1GiB");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: &str) -> Result<(), String> {
        let config: Config = toml::from_str(&format!("[store]\n{settings}")).map_err(|e| e.message().to_owned())?;
        config.check_store().map_err(|e| e.to_string())
    }

    #[test]
    fn stores_are_named_by_url() {
        for good in [
            "",
            "url = \"s3://b/p\"",
            "url = \"s3://b\"\nendpoint = \"https://localhost:1\"\naccess_key_id = \"x\"\nsecret_access_key_file = \"/x\"",
            "url = \"gs://b\"\ncredentials_file = \"/x\"",
            "url = \"az://c/p\"\naccess_key_id = \"account\"\nsecret_access_key_file = \"/x\"",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, word) in [
            ("url = \"file:///x\"", "s3://"),
            ("url = \"s3://key:secret@b\"", "s3://"),
            ("region = \"x\"", "store.url"),
            ("url = \"s3://b\"\nendpoint = \"http://localhost:1\"", "https"),
            ("url = \"s3://b\"\naccess_key_id = \"x\"", "together"),
            ("url = \"s3://b\"\ncredentials_file = \"x\"", "gs://"),
            ("url = \"gs://b\"\nregion = \"x\"", "s3://"),
            ("url = \"s3://b\"\npart_bytes = \"1MiB\"", "5MiB"),
            ("url = \"s3://b\"\nsecret_access_key = \"x\"", "unknown field"),
        ] {
            let error = check(bad).unwrap_err();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn the_secret_comes_from_its_file_and_is_not_printed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "hunter2\n").unwrap();
        let mut config = Config::default();
        config.store.access_key_id = Some("id".into());
        config.store.secret_access_key_file = Some(file);
        let (id, secret) = config.store.access_key().unwrap().unwrap();
        assert_eq!((id.as_str(), secret.expose()), ("id", b"hunter2".as_slice()));
        let printed = format!("{} {config:?} {secret:?}", crate::config::to_toml(&config).unwrap());
        assert!(!printed.contains("hunter2"));
    }
}
