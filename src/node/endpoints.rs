//! `endpoints.json`: where the process listens, for whoever comes after.
use super::{StartError, directory::replace};
use serde::Serialize;
use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

const FILE: &str = "endpoints.json";

/// Where the process listens.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoints {
    /// URL of the webhook listener, where the process has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingest: Option<String>,
    /// URL of the query API, where the process has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// URL of health, readiness and metrics.
    pub operations: String,
    /// What clients have to trust.
    pub ca_certificate: PathBuf,
}

/// A URL of an address; one that stands for all addresses is shown as this machine's.
pub fn url(scheme: &str, address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
}

impl Endpoints {
    /// The URL of the webhook listener; empty where the process has none.
    pub fn ingest(&self) -> &str {
        self.ingest.as_deref().unwrap_or_default()
    }

    /// The URL of the query API; empty where the process has none.
    pub fn api(&self) -> &str {
        self.api.as_deref().unwrap_or_default()
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`StartError::File`].
    pub fn publish(&self, directory: &Path) -> Result<(), StartError> {
        let text = serde_json::to_vec_pretty(self).map_err(StartError::part)?;
        replace(directory, FILE, &text).map_err(StartError::file(directory.join(FILE)))
    }

    /// Removes the file: nobody listens there any more.
    ///
    /// # Errors
    /// [`StartError::File`].
    pub fn withdraw(directory: &Path) -> Result<(), StartError> {
        let file = directory.join(FILE);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StartError::file(file)(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_urls_that_can_be_opened() {
        assert_eq!(url("https", "127.0.0.1:8443".parse().unwrap()), "https://127.0.0.1:8443");
        assert_eq!(url("https", "0.0.0.0:1".parse().unwrap()), "https://127.0.0.1:1");
        assert_eq!(url("http", "[::]:1".parse().unwrap()), "http://[::1]:1");
    }
}
