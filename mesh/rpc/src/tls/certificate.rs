//! The certificate of a port, which may be another one at each handshake.

use super::{
    error::Error,
    files::{Digest, Files},
    pair::Pair,
    validity::now,
};
use arc_swap::ArcSwap;
use std::sync::Arc;
use telemetry::metrics::CERTIFICATE_EXPIRY;
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// The certificate of one port.
pub struct Tls {
    /// The name of the port, for logs and metrics.
    port: String,
    pub(super) files: Files,
    current: ArcSwap<InUse>,
}

/// What new connections get.
struct InUse {
    config: Arc<ServerConfig>,
    /// In seconds since 1970.
    not_after: i64,
    digest: Digest,
}

impl Tls {
    /// Reads and checks the files of `port`.
    pub fn load(port: impl Into<String>, files: Files) -> Result<Arc<Self>, Error> {
        let current = ArcSwap::from_pointee(InUse::from(Pair::checked(&files.read()?, &files, now())?));
        let tls = Self { port: port.into(), files, current };
        tls.tell();
        Ok(Arc::new(tls))
    }

    /// Tells what new connections get from other contents.
    pub(super) fn digest(&self) -> Digest {
        self.current.load().digest
    }

    /// What shakes hands with the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.current.load().config.clone().into()
    }

    pub(super) fn replace(&self, pair: Pair) {
        self.current.store(Arc::new(pair.into()));
        self.tell();
    }

    fn tell(&self) {
        let days = self.expires_in_seconds() / 86_400;
        let certificate = self.files.certificate.display();
        tracing::info!(port = self.port, %certificate, expires_in_days = days, "new connections get this certificate");
    }

    pub(super) fn measure(&self) {
        CERTIFICATE_EXPIRY.record(self.expires_in_seconds(), [self.port.as_str()]);
    }

    fn expires_in_seconds(&self) -> i64 {
        self.current.load().not_after - now()
    }
}

impl From<Pair> for InUse {
    fn from(pair: Pair) -> Self {
        InUse { config: pair.config, not_after: pair.validity.not_after, digest: pair.digest }
    }
}
