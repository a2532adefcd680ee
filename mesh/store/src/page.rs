//! Pages: bounded in entries and in bytes, continued by tokens that are opaque, signed and made of the last identifier; so
//! a page costs one index range and no skip.

use crate::{InvalidToken, TokenSigner};
use mongodb::{Cursor, action::Find};
use prost::Message;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Most bytes of a page, unless its first entry alone has more: half of what callers take in one message. No document
/// grows to the other half.
const PAGE_BYTES: usize = 2 << 20;

/// The entries that were read for a page.
#[derive(Debug)]
pub struct Found<T> {
    pub entries: Vec<T>,
    /// Whether there are no more.
    pub is_last: bool,
}

impl<T> Found<T> {
    /// The page with each entry in another form.
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Found<U> {
        Found { entries: self.entries.into_iter().map(into).collect(), is_last: self.is_last }
    }

    /// The page cut to the bytes that it may have; `bytes` counts an entry.
    fn cut(mut self, bytes: impl Fn(&T) -> usize) -> Self {
        let mut sum = 0_usize;
        let fits = self.entries.iter().take_while(|entry| {
            sum = sum.saturating_add(bytes(entry));
            sum <= PAGE_BYTES
        });
        // A page without entries would have no identifier from which the next page could begin.
        let fits = fits.count().max(1);
        self.is_last &= fits >= self.entries.len();
        self.entries.truncate(fits);
        self
    }
}

impl<M: Message> Found<M> {
    /// The page cut to the messages that fit into one reply.
    pub fn fitting(self) -> Self {
        self.cut(Message::encoded_len)
    }
}

/// Reads a page of at most `limit` entries of what `query` finds, within [`READ_LIMIT`].
pub async fn find<T>(query: Find<'_, T>, limit: i64) -> Result<Found<T>, mongodb::error::Error>
where
    T: DeserializeOwned + Send + Sync,
{
    find_within(query, limit, READ_LIMIT).await
}

/// [`find`], within another time.
pub async fn find_within<T>(query: Find<'_, T>, limit: i64, time: Duration) -> Result<Found<T>, mongodb::error::Error>
where
    T: DeserializeOwned + Send + Sync,
{
    read(query.limit(limit.saturating_add(1)).max_time(time).await?, limit).await
}

/// Reads a page of at most `limit` entries; the query asks for one more. Stops where a page has enough bytes, so that a
/// list of large documents takes no more memory than one of small ones.
pub async fn read<T: DeserializeOwned>(mut cursor: Cursor<T>, limit: i64) -> Result<Found<T>, mongodb::error::Error> {
    let (most, mut bytes) = (usize::try_from(limit).unwrap_or(0), 0_usize);
    let mut entries = Vec::new();
    while cursor.advance().await? {
        bytes = bytes.saturating_add(cursor.current().as_bytes().len());
        // The entry that does not fit any more proves that there is another page.
        if entries.len() >= most || (bytes > PAGE_BYTES && !entries.is_empty()) {
            return Ok(Found { entries, is_last: false });
        }
        entries.push(cursor.deserialize_current()?);
    }
    Ok(Found { entries, is_last: true })
}

/// Makes and reads the page tokens of one list.
#[derive(Clone)]
pub struct Pager(TokenSigner);

impl Pager {
    /// A pager for the list called `list`; `secret` is the same in every replica.
    pub fn new(secret: &str, list: &str) -> Self {
        Self(TokenSigner::new(secret, &format!("page\0{list}")))
    }

    /// The identifier to continue after in the list of `scope` (for example a user), or none on the first page.
    pub fn after(&self, scope: &str, token: &str) -> Result<Option<String>, InvalidToken> {
        if token.is_empty() {
            return Ok(None);
        }
        let last = self.0.open(format!("{scope}\0").as_bytes(), token)?;
        String::from_utf8(last).map(Some).map_err(|_| InvalidToken)
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
        let sign = |(id, _): &(String, M)| self.0.sign(format!("{scope}\0").as_bytes(), id.as_bytes());
        let token = last.map_or_else(String::new, sign);
        (entries.into_iter().map(|(_, message)| message).collect(), token)
    }
}

/// Longest time that mongod spends on a page, a search or a report. Whoever asked has gone by then, or has other things to do.
pub const READ_LIMIT: Duration = Duration::from_secs(10);

/// The page size to use for what a caller asked: 50 when 0, at most 200.
pub fn limit(page_size: i32) -> i64 {
    match page_size {
        ..=0 => 50,
        1..=200 => i64::from(page_size),
        201.. => 200,
    }
}
