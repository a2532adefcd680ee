//! Certificates of an authority that nobody else knows: a root, one below it that signs, and the servers'.

use crate::gateway::foreign::replace;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use std::path::Path;
use tokio_rustls::rustls::pki_types::CertificateDer;

pub struct Authority {
    root: String,
    signer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with the one above it, and its key.
#[derive(Clone)]
pub struct Issued {
    pub chain: String,
    pub key: String,
    /// The certificate alone, as clients see it.
    pub der: CertificateDer<'static>,
}

impl Authority {
    pub fn new() -> Self {
        let root = CertifiedIssuer::self_signed(params("test root"), key()).expect("it signs itself");
        let signer = CertifiedIssuer::signed_by(params("test signer"), key(), &root).expect("it is signed");
        Authority { root: root.pem(), signer }
    }

    /// What clients trust, PEM.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// A new certificate for 127.0.0.1 and localhost.
    pub fn issue(&self) -> Issued {
        self.issue_between(2020, 4096)
    }

    /// One that is valid from the begin of a year to that of another.
    pub fn issue_between(&self, from: i32, to: i32) -> Issued {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).expect("names");
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let key = key();
        let certificate = params.signed_by(&key, &self.signer).expect("it is signed");
        let chain = format!("{}{}", certificate.pem(), self.signer.pem());
        Issued { chain, key: key.serialize_pem(), der: certificate.der().clone() }
    }
}

impl Issued {
    /// Puts both files in their places.
    pub fn write(&self, directory: &Path) {
        replace(&directory.join("tls.crt"), self.chain.as_bytes());
        replace(&directory.join("tls.key"), self.key.as_bytes());
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the provider makes keys")
}
