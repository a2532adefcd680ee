//! The settings of a port that may have a certificate.

use super::{files::Files, pair::Pair, validity::now};
use settings::{Key, Settings};

pub const CERTIFICATE: Key = Key::new(
    "tls-certificate",
    "COMPTOIR_TLS_CERTIFICATE",
    "File with the certificate of the port and those that lead to its root, PEM, which makes it speak TLS; read again when \
     it changes and at SIGHUP",
);

pub const KEY: Key =
    Key::new("tls-key", "COMPTOIR_TLS_KEY", "File with the private key of the certificate, PEM, read with it");

impl Files {
    /// The files of the settings, once they can be used; none when neither is set.
    pub fn resolve(settings: &Settings) -> Result<Option<Self>, settings::Error> {
        let files = match (settings.value(&CERTIFICATE), settings.value(&KEY)) {
            ("", "") => return Ok(None),
            (certificate, key) if !certificate.is_empty() && !key.is_empty() => {
                Files { certificate: certificate.into(), key: key.into() }
            }
            ("", _) => return Err(settings.bad(&KEY, "COMPTOIR_TLS_CERTIFICATE (or --tls-certificate) is not set")),
            (_, _) => return Err(settings.bad(&CERTIFICATE, "COMPTOIR_TLS_KEY (or --tls-key) is not set")),
        };
        let checked = files.read().and_then(|contents| Pair::checked(&contents, &files, now()));
        checked.map_err(|error| settings.bad(if error.is_about_key() { &KEY } else { &CERTIFICATE }, error))?;
        Ok(Some(files))
    }
}
