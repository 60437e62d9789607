//! Where the demo keeps its data, and the configuration it runs with.
use super::traffic::Cast;
use crate::{
    config::{AppId, Config, SecretFiles},
    control::CommandError,
};
use schemas::{
    clock::{SystemEntropy, random},
    ids::hex,
};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A directory of the demo's own, gone when this is dropped; or one that was asked for, which stays.
pub struct DemoDir {
    path: PathBuf,
    is_temporary: bool,
    secrets: PathBuf,
}

impl DemoDir {
    /// Makes it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(asked_for: Option<&Path>) -> Result<Self, CommandError> {
        let name: [u8; 8] = random(&SystemEntropy).map_err(CommandError::failed)?;
        let temporary = std::env::temp_dir().join(format!("chatmai-demo-{}", hex(&name)));
        let private = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        private(&temporary).map_err(CommandError::failed)?;
        let path = asked_for.map_or_else(|| temporary.join("data"), Path::to_path_buf);
        // Beside the data, as secrets of an operator are.
        Ok(Self { path, is_temporary: asked_for.is_none(), secrets: temporary })
    }

    /// True when it goes with the demo.
    pub fn is_temporary(&self) -> bool {
        self.is_temporary
    }

    /// The data directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration of the demo: its directory, any free ports, the cast's Facebook app, and nothing else that is
    /// configured outside of it, but for the log where that is asked for.
    ///
    /// # Errors
    /// When a secret file cannot be written.
    pub fn config(&self, base: Config, cast: &Cast, on_kafka: bool) -> Result<Config, CommandError> {
        let mut config = base;
        config.data_dir = self.path.clone();
        for address in [&mut config.listen.ingest, &mut config.listen.api, &mut config.listen.operations] {
            *address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        }
        config.tls = crate::config::Tls::default();
        if !on_kafka {
            config.kafka = crate::config::Kafka::default();
        } else if config.kafka.brokers.is_empty() {
            return Err(CommandError::usage("--kafka needs kafka.brokers in the configuration"));
        }
        // What is configured is somebody's: the demo's own goes with its directory.
        config.store = crate::config::Store::default();
        config.kms = crate::config::Kms::default();
        config.catalog = crate::config::Catalog::default();
        config.keys = crate::config::Keys::default();
        config.vault = crate::config::Vault::default();
        config.platforms.facebook.app_id = Some(AppId(cast.app_id.clone()));
        config.platforms.facebook.app_secret_file = self.secret("facebook-app-secret", &cast.app_secret)?;
        config.platforms.facebook.verify_token_file = self.secret("facebook-verify-token", &cast.verify_token)?;
        // One client at one address plays all platforms and all of their customers.
        config.limits.posts_per_connection = 0;
        config.limits.posts_per_address = 0;
        Ok(config)
    }

    fn secret(&self, name: &str, text: &str) -> Result<SecretFiles, CommandError> {
        let path = self.secrets.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(SecretFiles(vec![path]))
    }
}

impl Drop for DemoDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.secrets) {
            tracing::warn!(%error, "the demo's temporary directory stays");
        }
    }
}
