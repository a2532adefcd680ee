//! Secrets that somebody is told once, such as tokens: 256 random bits, which nobody guesses, so that a fast digest is as good as a
//! slow one. The digest is what is stored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A new one, 43 characters.
pub fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// What is stored of it.
pub fn digest(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// Whether it is the secret of this digest. Takes as long wherever they differ.
pub fn fits(secret: &str, digest: &str) -> bool {
    self::digest(secret).as_bytes().ct_eq(digest.as_bytes()).into()
}
