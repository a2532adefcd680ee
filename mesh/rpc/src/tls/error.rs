//! Why certificates and keys cannot be used.

use std::{io, path::PathBuf};
use tokio_rustls::rustls;

/// Why a pair cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    ReadCertificate { path: PathBuf, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    ReadKey { path: PathBuf, source: io::Error },
    #[error("{} has no certificate in PEM form", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} has no private key in PEM form; one with a passphrase cannot be used", path.display())]
    NoKey { path: PathBuf },
    #[error("{} has a certificate that cannot be read: {why}", path.display())]
    Certificate { path: PathBuf, why: String },
    #[error("{} has a key that cannot be used: {source}", path.display())]
    Key { path: PathBuf, source: rustls::Error },
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("the certificate in {} expired {} h ago", path.display(), ago_s / 3600)]
    Expired { path: PathBuf, ago_s: i64 },
    #[error("the certificate in {} is not valid before {} min from now", path.display(), in_s / 60 + 1)]
    NotYetValid { path: PathBuf, in_s: i64 },
    #[error("TLS cannot be set up: {0}")]
    Provider(rustls::Error),
}

impl Error {
    /// Whether the file of the key is at fault.
    pub(super) fn is_about_key(&self) -> bool {
        match self {
            Error::ReadKey { .. } | Error::NoKey { .. } | Error::Key { .. } | Error::Mismatch { .. } => true,
            Error::ReadCertificate { .. }
            | Error::NoCertificate { .. }
            | Error::Certificate { .. }
            | Error::Expired { .. }
            | Error::NotYetValid { .. }
            | Error::Provider(_) => false,
        }
    }
}
