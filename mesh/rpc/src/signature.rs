//! Signed webhooks in the scheme that Stripe uses: a header `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;

/// How far the time of a signature may be from now, in seconds: what Stripe advises. Retries are signed anew.
pub const TOLERANCE_SECONDS: i64 = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the signature header is not t=<seconds>,v1=<hex>")]
    Malformed,
    #[error("the signature is older or newer than 300 s")]
    Old,
    /// Not signed with this secret, or not this body.
    #[error("the signature does not fit the body")]
    Mismatch,
}

/// The header for `body`, signed at `at` (unix seconds).
pub fn sign(secret: &str, at: i64, body: &[u8]) -> String {
    let digest = mac(secret, at, body).finalize().into_bytes();
    let mut header = format!("t={at},v1=");
    for byte in digest {
        write!(header, "{byte:02x}").expect("a string can be written");
    }
    header
}

/// Refuses what was not signed with `secret` within [`TOLERANCE_SECONDS`] of `now`. While a secret is changed a header may
/// carry several `v1`: one must fit.
pub fn verify(secret: &str, header: &str, body: &[u8], now: i64) -> Result<(), Refusal> {
    let (mut at, mut signatures) = (None, Vec::new());
    for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
        match name {
            "t" => at = value.parse::<i64>().ok(),
            "v1" => signatures.push(bytes(value).ok_or(Refusal::Malformed)?),
            _ => {}
        }
    }
    let at = at.filter(|_| !signatures.is_empty()).ok_or(Refusal::Malformed)?;
    let mac = mac(secret, at, body);
    // The signature before the time: only who owns the secret learns that a message is merely old.
    if !signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok()) {
        return Err(Refusal::Mismatch);
    }
    if now.saturating_sub(at).saturating_abs() > TOLERANCE_SECONDS { Err(Refusal::Old) } else { Ok(()) }
}

fn mac(secret: &str, at: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    mac
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    if hex.is_empty() || !hex.len().is_multiple_of(2) { None } else { (0..hex.len()).step_by(2).map(pair).collect() }
}
