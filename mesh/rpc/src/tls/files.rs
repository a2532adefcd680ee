//! Where certificate and key are.

use super::error::Error;
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Largest file, in bytes: a long chain has some ten thousand.
const LIMIT_BYTES: u64 = 1 << 20;

/// Tells one pair from another.
pub(super) type Digest = [u8; 32];

/// What the two files have.
pub(super) struct Contents {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate of the port, then those that lead to its root.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Contents {
    pub(super) fn digest(&self) -> Digest {
        let of_each = [&self.certificate, &self.key].map(Sha256::digest);
        Sha256::digest(of_each.concat()).into()
    }
}

impl Files {
    /// What is in them now.
    pub(super) fn read(&self) -> Result<Contents, Error> {
        let certificate = read(&self.certificate)
            .map_err(|source| Error::ReadCertificate { path: self.certificate.clone(), source })?;
        let key = read(&self.key).map_err(|source| Error::ReadKey { path: self.key.clone(), source })?;
        Ok(Contents { certificate, key })
    }
}

pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LIMIT_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LIMIT_BYTES {
        return Err(io::Error::other(format!("it is larger than {LIMIT_BYTES} bytes")));
    }
    Ok(content)
}
