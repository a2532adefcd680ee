//! Pages: bounded in entries and in bytes, continued by tokens that are opaque, signed and made of the last identifier; so
//! a page costs one index range and no skip.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use mongodb::Cursor;
use prost::Message;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// Bytes of signature in a token.
const SIGNATURE_BYTES: usize = 16;

/// Bytes of one page, at most, unless its first entry has more: half of what callers take in one message. No document
/// grows to the other half.
const PAGE_BYTES: usize = 2 << 20;

/// What was read for a page.
#[derive(Debug)]
pub struct Found<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Whether there are no more.
    pub is_last: bool,
}

impl<T> Found<T> {
    /// The same in another form.
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Found<U> {
        Found { entries: self.entries.into_iter().map(into).collect(), is_last: self.is_last }
    }

    /// Cuts it to what a page may have, each entry counted as `bytes` says.
    fn cut(mut self, bytes: impl Fn(&T) -> usize) -> Self {
        let mut sum = 0_usize;
        let fits = self.entries.iter().take_while(|entry| {
            sum = sum.saturating_add(bytes(entry));
            sum <= PAGE_BYTES
        });
        let fits = fits.count().max(1);
        self.is_last &= fits >= self.entries.len();
        self.entries.truncate(fits);
        self
    }
}

impl<M: Message> Found<M> {
    /// What fits into one reply.
    pub fn fitting(self) -> Self {
        self.cut(Message::encoded_len)
    }
}

/// Reads a page of at most `limit` entries; the query asks for one more. Stops where a page has enough bytes, so that a
/// list of large documents takes no more memory than one of small ones.
pub async fn read<T: DeserializeOwned>(mut cursor: Cursor<T>, limit: i64) -> Result<Found<T>, mongodb::error::Error> {
    let (most, mut bytes) = (usize::try_from(limit).unwrap_or(0), 0_usize);
    let mut entries = Vec::new();
    while cursor.advance().await? {
        bytes = bytes.saturating_add(cursor.current().as_bytes().len());
        if entries.len() >= most || (bytes > PAGE_BYTES && !entries.is_empty()) {
            return Ok(Found { entries, is_last: false });
        }
        entries.push(cursor.deserialize_current()?);
    }
    Ok(Found { entries, is_last: true })
}

/// The page token was not made for this list.
#[derive(Debug, thiserror::Error)]
#[error("this is no page token of this list")]
pub struct InvalidToken;

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
    pub fn after(&self, scope: &str, token: &str) -> Result<Option<String>, InvalidToken> {
        if token.is_empty() {
            return Ok(None);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidToken)?;
        let (signature, last) = bytes.split_at_checked(SIGNATURE_BYTES).ok_or(InvalidToken)?;
        let last = std::str::from_utf8(last).map_err(|_| InvalidToken)?;
        if self.sign(scope, last) == signature { Ok(Some(last.to_owned())) } else { Err(InvalidToken) }
    }

    /// The page of what was found: as many messages as fit a reply, each made together with its identifier, and the token
    /// of the next page, empty when there is none.
    pub fn page<T, M: Message>(
        &self,
        scope: &str,
        found: Found<T>,
        message: impl FnMut(T) -> (String, M),
    ) -> (Vec<M>, String) {
        let Found { entries, is_last } = found.map(message).cut(|(_, message)| message.encoded_len());
        let last = entries.last().filter(|_| !is_last);
        let token = last.map_or_else(String::new, |(id, _)| self.token(scope, id));
        (entries.into_iter().map(|(_, message)| message).collect(), token)
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
