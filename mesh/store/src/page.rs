//! Page tokens: opaque, signed, made of the last identifier; so a page costs one index range and no skip.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tonic::Status;

/// Bytes of signature in a token.
const SIGNATURE_BYTES: usize = 16;

/// Signs and reads the page tokens of one list.
#[derive(Clone)]
pub struct Pager(Hmac<Sha256>);

impl Pager {
    /// A pager for the list called `list`; `secret` is the same in every replica.
    pub fn new(secret: &str, list: &str) -> Self {
        let key = [secret.as_bytes(), b"\0page\0", list.as_bytes()].concat();
        Self(Hmac::new_from_slice(&key).expect("HMAC takes a key of any length"))
    }

    /// The token that continues after `last` in the list of `scope` (for example a user).
    fn token(&self, scope: &str, last: &str) -> String {
        let mut bytes = self.sign(scope, last);
        bytes.extend_from_slice(last.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The identifier to continue after, or none on the first page.
    pub fn after(&self, scope: &str, token: &str) -> Result<Option<String>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let invalid = || rpc::status::violation("page_token", "is not a token of this list");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
        let (signature, last) = bytes.split_at_checked(SIGNATURE_BYTES).ok_or_else(invalid)?;
        let last = std::str::from_utf8(last).map_err(|_| invalid())?;
        if self.sign(scope, last) == signature { Ok(Some(last.to_owned())) } else { Err(invalid()) }
    }

    /// What was found for a page of `limit` when one more was asked for, cut to the page, and the token of the next one:
    /// empty when there is none.
    pub fn page<T>(&self, scope: &str, limit: i64, mut found: Vec<T>, id: impl Fn(&T) -> String) -> (Vec<T>, String) {
        let most = usize::try_from(limit).unwrap_or(0);
        if found.len() <= most {
            return (found, String::new());
        }
        found.truncate(most);
        let token = found.last().map_or_else(String::new, |last| self.token(scope, &id(last)));
        (found, token)
    }

    fn sign(&self, scope: &str, last: &str) -> Vec<u8> {
        let mut mac = self.0.clone();
        mac.update(scope.as_bytes());
        mac.update(b"\0");
        mac.update(last.as_bytes());
        mac.finalize().into_bytes()[..SIGNATURE_BYTES].to_vec()
    }
}

/// The page size to use for what a caller asked: 50 when 0, at most 200.
pub fn limit(page_size: i32) -> i64 {
    match page_size {
        ..=0 => 50,
        1..=200 => i64::from(page_size),
        201.. => 200,
    }
}
