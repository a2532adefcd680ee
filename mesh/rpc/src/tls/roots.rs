//! Whose certificates are believed beside those of the web's authorities.

use super::{error::Error, files};
use std::{path::Path, sync::Arc};
use tokio_rustls::rustls::{
    self, CertificateError, RootCertStore,
    pki_types::{CertificateDer, TrustAnchor, pem::PemObject},
};

/// Authorities of one's own. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Roots(Arc<Vec<TrustAnchor<'static>>>);

impl Roots {
    /// Those of a PEM file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let content = files::read(path).map_err(|source| Error::ReadCertificate { path: path.to_owned(), source })?;
        let unreadable = |why: String| Error::Certificate { path: path.to_owned(), why };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&content) {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(Error::NoCertificate { path: path.to_owned() });
        }
        Ok(Roots(Arc::new(roots.roots)))
    }

    /// What a TLS client takes.
    pub fn anchors(&self) -> impl Iterator<Item = TrustAnchor<'static>> + '_ {
        self.0.iter().cloned()
    }
}

/// Why the certificate of a server was not believed, when that is why `error` occurred.
pub fn refused_certificate<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a CertificateError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An I/O error leaves itself out of the chain: its source is that of the error in it.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = error.downcast_ref().or(inner.and_then(|inner| inner.downcast_ref()));
        if let Some(rustls::Error::InvalidCertificate(why)) = tls {
            return Some(why);
        }
        cause = error.source();
    }
    None
}
