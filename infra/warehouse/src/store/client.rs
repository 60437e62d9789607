//! The connections to a store. object_store offers no switch for the TLS version, so it is given this client.
use async_trait::async_trait;
use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};
use std::{sync::Arc, time::Duration};

/// Hosts that give a machine its own credentials and speak plain HTTP only. They are reached over the machine's link,
/// never through a network.
const METADATA: [&str; 5] =
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "metadata.google.internal"];

/// Makes every connection of a store: under the TLS configuration given, following no redirect.
#[derive(Clone)]
pub(super) struct Connector {
    pub tls: Arc<rustls::ClientConfig>,
    pub connect_timeout: Duration,
    /// How long an answer may take to begin, and then to go on.
    pub timeout: Duration,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    /// The options of the store count for nothing here: what they could weaken is decided by the configuration.
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(rustls::ClientConfig::clone(&self.tls))
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.timeout)
            // Shorter than what stores allow: a connection that they close under a request costs a retry.
            .pool_idle_timeout(Duration::from_secs(15))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("chatmai/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| object_store::Error::Generic { store: "HTTP client", source: Box::new(e) })?;
        Ok(HttpClient::new(Encrypted(client)))
    }
}

#[derive(Debug)]
struct Encrypted(reqwest::Client);

#[derive(Debug, thiserror::Error)]
#[error("an unencrypted connection to the store was refused")]
struct Plaintext;

#[async_trait]
impl HttpService for Encrypted {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !may_send(request.uri().scheme_str(), request.uri().host()) {
            return Err(HttpError::new(HttpErrorKind::Unknown, Plaintext));
        }
        HttpService::call(&self.0, request).await
    }
}

/// Whether a request may leave: encrypted, or to the machine's own metadata service.
fn may_send(scheme: Option<&str>, host: Option<&str>) -> bool {
    match scheme {
        Some("https") => true,
        Some("http") => host.is_some_and(|host| METADATA.contains(&host)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_metadata_service_is_asked_in_clear() {
        assert!(may_send(Some("https"), Some("s3.eu-central-1.amazonaws.com")));
        assert!(may_send(Some("http"), Some("169.254.169.254")));
        for (scheme, host) in [
            (Some("http"), Some("s3.eu-central-1.amazonaws.com")),
            (Some("http"), Some("127.0.0.1")),
            (Some("http"), Some("169.254.169.254.example.org")),
            (Some("http"), None),
            (None, Some("s3")),
            (Some("ftp"), Some("169.254.169.254")),
        ] {
            assert!(!may_send(scheme, host), "{scheme:?} {host:?}");
        }
    }
}
