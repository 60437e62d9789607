//! Where catalog, key store and vault are.
use super::{Config, ConfigError, Secret};
use database::{Address, Postgres, TlsClient};
use std::path::Path;
use zeroize::Zeroizing;

/// The settings of one database.
#[derive(Clone, Copy)]
pub struct Server<'a> {
    pub(super) section: &'static str,
    pub(super) url: Option<&'a str>,
    pub(super) password_file: Option<&'a Path>,
    pub(super) ca_certificate: Option<&'a Path>,
    pub(super) client_certificate: Option<&'a Path>,
    pub(super) client_key: Option<&'a Path>,
}

impl Server<'_> {
    /// Where the database is; `file` is SQLite's, in the data directory.
    ///
    /// # Errors
    /// When the password cannot be read, or is not UTF-8.
    pub fn address(&self, file: std::path::PathBuf) -> Result<Address, ConfigError> {
        let Some(mut server) = self.postgres()? else { return Ok(Address::Sqlite(file)) };
        if let Some(path) = self.password_file {
            let password = Secret::read(path)?;
            let text = std::str::from_utf8(password.expose());
            let text = text.map_err(|_| ConfigError::new(format!("{}.password_file is not UTF-8", self.section)))?;
            server = server.with_password(Zeroizing::new(text.to_owned()));
        }
        if let Some(path) = self.ca_certificate {
            server = server.with_ca_certificate(path.to_owned());
        }
        if let (Some(certificate), Some(key)) = (self.client_certificate, self.client_key) {
            server = server.with_client(TlsClient { certificate: certificate.to_owned(), key: key.to_owned() });
        }
        Ok(Address::Postgres(server))
    }

    /// The server, without its secrets.
    fn postgres(&self) -> Result<Option<Postgres>, ConfigError> {
        let parsed = self.url.map(Postgres::parse).transpose();
        parsed.map_err(|error| ConfigError::new(format!("{}.url: {error}", self.section)))
    }

    fn check(&self) -> Result<Option<Postgres>, ConfigError> {
        let fail = |text: &str| Err(ConfigError::new(format!("{}.{text}", self.section)));
        let others = [self.password_file, self.ca_certificate, self.client_certificate, self.client_key];
        if self.url.is_none() && others.iter().any(Option::is_some) {
            return fail("url is missing: the other settings of the section are a PostgreSQL server's");
        }
        if self.client_certificate.is_some() != self.client_key.is_some() {
            return fail("client_certificate and client_key are set together or not at all");
        }
        self.postgres()
    }
}

impl Config {
    /// Who can read one of the three must not thereby read another.
    pub(super) fn check_databases(&self) -> Result<(), ConfigError> {
        let mut servers: Vec<(&str, Postgres)> = Vec::new();
        for settings in [self.catalog.server(), self.keys.server(), self.vault.server()] {
            let Some(server) = settings.check()? else { continue };
            if let Some((other, _)) = servers.iter().find(|(_, known)| known.overlaps(&server)) {
                return Err(ConfigError::new(format!(
                    "{other}.url and {}.url share a database or a role: catalog, keys and vault have one of each for \
                     themselves",
                    settings.section
                )));
            }
            servers.push((settings.section, server));
        }
        Ok(())
    }
}
