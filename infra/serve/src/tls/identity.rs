//! A certificate chain with its key.
use super::config::provider;
use crate::ServeError;
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::{fmt, path::Path, sync::Arc};

/// What a server shows and proves: a certificate chain and the key that belongs to it.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key stays out of every log.
        f.debug_struct("Identity").field("certificates", &self.0.cert.len()).finish_non_exhaustive()
    }
}

/// Reads a certificate chain (the server's own certificate first) and its private key, both PEM. One file may hold
/// both. A key that does not belong to the certificate is refused here, not at the first handshake.
pub fn load_identity(cert_pem: &Path, key_pem: &Path) -> Result<Identity, ServeError> {
    let chain = certificates(cert_pem)?;
    let bytes = std::fs::read(key_pem).map_err(ServeError::file(key_pem))?;
    let key = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|error| ServeError::Pem { path: key_pem.to_owned(), reason: format!("no private key: {error}") })?;
    let certified = CertifiedKey::from_der(chain, key, &provider())
        .map_err(|source| ServeError::Identity { path: cert_pem.to_owned(), source })?;
    Ok(Identity(Arc::new(certified)))
}

/// The certificates of a PEM file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let bytes = std::fs::read(path).map_err(ServeError::file(path))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(ServeError::Pem { path: path.to_owned(), reason: "no certificate".to_owned() }),
        Err(error) => Err(ServeError::Pem { path: path.to_owned(), reason: format!("no certificate: {error}") }),
    }
}
