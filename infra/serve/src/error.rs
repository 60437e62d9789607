//! Why a listener, or what it needs, could not be had.
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// A listener or its certificate could not be set up. The texts are written for an operator.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds no certificate or key in PEM form.
    #[error("{}: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is missing or broken.
        reason: String,
    },
    /// Certificate and key do not belong together, or the key is of a kind that cannot sign.
    #[error("{}: the certificate cannot be used with its key: {source}", path.display())]
    Identity {
        /// The certificate's file.
        path: PathBuf,
        /// What was found.
        source: rustls::Error,
    },
    /// The system trusts nobody.
    #[error("the system has no list of trusted CAs (Debian: ca-certificates); install it, or name a CA certificate")]
    NoTrust,
    /// The development CA lacks a half, or its halves do not belong together.
    #[error("{}: {reason}; remove the directory to start over with a new CA", path.display())]
    DevelopmentCa {
        /// The directory.
        path: PathBuf,
        /// What was found.
        reason: &'static str,
    },
    /// A certificate could not be made.
    #[error("no certificate could be made: {0}")]
    Issue(#[from] rcgen::Error),
    /// TLS could not be configured.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The address could not be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The operations listener speaks in clear, which must not leave the machine.
    #[error("the operations listener is not encrypted and listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
}

impl ServeError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
