//! TLS as all our servers and clients speak it: version 1.3, two suites, nothing sent early, no key written anywhere. One
//! listener may be configured to take 1.2 as well, by a written exception.
use super::identity::{Identity, certificates};
use crate::ServeError;
use rustls::{
    ClientConfig, NoKeyLog, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};
use std::{path::Path, sync::Arc};

/// The protocols offered, the better one first.
pub(crate) const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// *ring*, named here so that no other library's choice of a process-wide provider counts, with the AEAD suites we allow.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
            ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        ..ring::default_provider()
    }
}

/// The suites of 1.2 that an exception lets in: ephemeral keys and authenticated encryption, nothing else.
fn provider_with_tls12() -> CryptoProvider {
    let mut provider = provider();
    provider.cipher_suites.extend([
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ring::cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ]);
    provider
}

/// The configuration of a listener that shows `identity`.
pub fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, ServeError> {
    server(identity, provider(), &[&TLS13])
}

/// The same for a listener that takes TLS 1.2 too, from clients that do not speak 1.3. It is for the webhooks of a
/// platform that cannot do better, under an exception that an operator has written down.
pub fn server_config_with_tls12(identity: &Identity) -> Result<Arc<ServerConfig>, ServeError> {
    server(identity, provider_with_tls12(), &[&TLS13, &TLS12])
}

fn server(
    identity: &Identity,
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Arc<ServerConfig>, ServeError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.0.clone())));
    config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
    // The library's defaults, restated: early data can be replayed, and a key log gives the traffic away.
    config.max_early_data_size = 0;
    config.key_log = Arc::new(NoKeyLog {});
    Ok(Arc::new(config))
}

/// The configuration of our own clients, which trust the certificates of `ca_pem` and nothing else. It offers no
/// application protocol, which gives HTTP/1.1; a client that wants HTTP/2 adds `h2` to `alpn_protocols` of a copy.
pub fn client_config(ca_pem: &Path) -> Result<Arc<ClientConfig>, ServeError> {
    trusting(roots(ca_pem)?)
}

/// As [`client_config`], for services of others: trusts what the system trusts.
pub fn public_client_config() -> Result<Arc<ClientConfig>, ServeError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // A system's list may hold a certificate that is not understood; it needs no more than that it is not trusted.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(ServeError::NoTrust);
    }
    trusting(roots)
}

fn trusting(roots: RootCertStore) -> Result<Arc<ClientConfig>, ServeError> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_early_data = false;
    config.key_log = Arc::new(NoKeyLog {});
    Ok(Arc::new(config))
}

/// The trust anchors of a PEM file.
pub(super) fn roots(ca_pem: &Path) -> Result<RootCertStore, ServeError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_pem)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}
