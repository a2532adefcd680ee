//! Whose certificates are believed beside those of the web's authorities.

use super::{error::Error as TlsError, files};
use std::{error::Error, io, path::Path, sync::Arc};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, TrustAnchor, pem::PemObject},
};

/// Authorities of one's own. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Roots(Arc<Vec<TrustAnchor<'static>>>);

impl Roots {
    /// Those of a PEM file.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let content =
            files::read(path).map_err(|source| TlsError::ReadCertificate { path: path.to_owned(), source })?;
        let unreadable = |why: String| TlsError::Certificate { path: path.to_owned(), why };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&content) {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(TlsError::NoCertificate { path: path.to_owned() });
        }
        Ok(Roots(Arc::new(roots.roots)))
    }

    /// A TLS client that believes them and the authorities of the web.
    pub fn client(&self) -> ClientConfig {
        let anchors = webpki_roots::TLS_SERVER_ROOTS.iter().chain(self.0.iter()).cloned();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder =
            builder.with_safe_default_protocol_versions().expect("the provider has the ciphers of both versions");
        builder.with_root_certificates(RootCertStore::from_iter(anchors)).with_no_client_auth()
    }
}

/// Why the certificate of a server was not believed, when that is why `error` occurred.
pub fn refused_certificate<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CertificateError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(why);
        }
        // An I/O error leaves the one in it out of the chain: its source is the source of that.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}
