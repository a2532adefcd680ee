//! TLS 1.2 and 1.3 of a port: a certificate and its key are read from two files, checked, and read again when they change.
//!
//! A new pair counts for the connections that are made after it; those before it go on with what they began with. A pair that
//! cannot be used is refused with one line of the log, and the one in use stays. Client certificates are not asked for: in
//! `pair` is the one place that would. `roots` is for the other end: whom a client believes.

mod certificate;
mod error;
mod files;
mod keys;
mod pair;
mod roots;
mod validity;
mod watch;

pub use certificate::Tls;
pub use error::Error;
pub use files::Files;
pub use keys::{CERTIFICATE, KEY};
pub use roots::{Roots, refused_certificate};
pub use tokio_rustls::rustls::CertificateError;
