//! The token by which a guest's basket is theirs: 32 random bytes, kept as their SHA-256.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// A new token, and what is kept of it.
pub fn new() -> (String, String) {
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let kept = digest(&token);
    (token, kept)
}

/// What is kept of a token. Digests may be compared in any time: whoever measures it learns of the digest of what they sent,
/// and not of the token.
pub fn digest(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}
