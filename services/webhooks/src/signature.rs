//! Signatures by Standard Webhooks 1.0: `v1,` and base64 of HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>`.

#[cfg(test)]
mod tests;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Begin of a secret; what follows is the key in base64.
const PREFIX: &str = "whsec_";

/// A new secret: 256 random bits.
pub fn secret() -> String {
    format!("{PREFIX}{}", BASE64_STANDARD.encode(rand::random::<[u8; 32]>()))
}

/// The header `webhook-signature`: one signature for each secret.
pub fn header<'a>(secrets: impl Iterator<Item = &'a str>, id: &str, seconds: i64, body: &str) -> String {
    secrets.map(|secret| signature(secret, id, seconds, body)).collect::<Vec<_>>().join(" ")
}

fn signature(secret: &str, id: &str, seconds: i64, body: &str) -> String {
    let key = secret.strip_prefix(PREFIX).and_then(|key| BASE64_STANDARD.decode(key).ok()).unwrap_or_default();
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(&key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}
