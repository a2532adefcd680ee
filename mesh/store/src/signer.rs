//! Signed tokens: opaque texts that carry their content, so that nothing is stored for them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of signature in a token: 128 bits, which nobody guesses, and short enough for a URL.
const SIGNATURE_BYTES: usize = 16;

/// The token was not signed for this purpose and scope.
#[derive(Debug, thiserror::Error)]
#[error("the signature of the token is not right")]
pub struct InvalidToken;

/// Signs and reads the tokens of one purpose. Cheap to clone.
#[derive(Clone)]
pub struct TokenSigner(Hmac<Sha256>);

impl TokenSigner {
    /// A signer for `purpose`; `secret` is the same in every replica.
    pub fn new(secret: &str, purpose: &str) -> Self {
        let key = [secret, "\0", purpose].concat();
        Self(Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length"))
    }

    /// The token that carries `content` and can be read in `scope` alone.
    pub fn sign(&self, scope: &[u8], content: &[u8]) -> String {
        let signature = self.0.clone().chain_update(scope).chain_update(content).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&signature[..SIGNATURE_BYTES], content].concat())
    }

    pub fn open(&self, scope: &[u8], token: &str) -> Result<Vec<u8>, InvalidToken> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidToken)?;
        let (signature, content) = bytes.split_at_checked(SIGNATURE_BYTES).ok_or(InvalidToken)?;
        let mac = self.0.clone().chain_update(scope).chain_update(content);
        mac.verify_truncated_left(signature).map_err(|_| InvalidToken)?;
        Ok(content.to_vec())
    }
}
