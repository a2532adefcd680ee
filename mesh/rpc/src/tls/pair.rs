//! A certificate and its key, checked before any client sees them.

use super::{
    error::Error,
    files::{Contents, Digest, Files},
    validity::{self, Validity},
};
use std::sync::Arc;
use tokio_rustls::rustls::{
    self, InconsistentKeys, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};

/// What a client and an HTTP port may agree on (RFC 7301), the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A pair that can be used.
pub(super) struct Pair {
    pub config: Arc<ServerConfig>,
    pub validity: Validity,
    pub digest: Digest,
}

impl Pair {
    /// The pair of these contents, if clients would take it at `now`, in seconds since 1970. `files` names what is at fault.
    pub(super) fn checked(contents: &Contents, files: &Files, now: i64) -> Result<Self, Error> {
        let Files { certificate: path, key } = files;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents.certificate).collect();
        let chain = chain.map_err(|error| Error::Certificate { path: path.clone(), why: error.to_string() })?;
        let first = chain.first().ok_or_else(|| Error::NoCertificate { path: path.clone() })?;
        let validity = validity::of(first);
        let validity = validity.map_err(|error| Error::Certificate { path: path.clone(), why: error.to_string() })?;
        let private = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| Error::NoKey { path: key.clone() })?;
        let provider = Arc::new(ring::default_provider());
        let private = provider.key_provider.load_private_key(private);
        let private = private.map_err(|source| Error::Key { path: key.clone(), source })?;
        let certified = CertifiedKey::new(chain, private);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(Error::Mismatch { certificate: path.clone(), key: key.clone() });
            }
            Err(error) => return Err(Error::Certificate { path: path.clone(), why: error.to_string() }),
        }
        if validity.not_after < now {
            return Err(Error::Expired { path: path.clone(), ago_s: now - validity.not_after });
        }
        if validity.not_before > now {
            return Err(Error::NotYetValid { path: path.clone(), in_s: validity.not_before - now });
        }
        let config = config(provider, certified).map_err(Error::Provider)?;
        Ok(Pair { config: Arc::new(config), validity, digest: contents.digest() })
    }
}

fn config(provider: Arc<CryptoProvider>, certified: CertifiedKey) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    // Here `with_client_cert_verifier` would ask clients for certificates.
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(config)
}
