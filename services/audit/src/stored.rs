//! Documents as they are stored. What is not just as this service writes it is none: what no hash covers must not be there.

use crate::domain::{Anchor, Entry, Head};
use bson::RawDocument;
use serde::{Serialize, de::DeserializeOwned};

pub fn entry(stored: &RawDocument) -> Option<Entry> {
    exact(stored)
}

pub fn head(stored: &RawDocument) -> Option<Head> {
    exact(stored)
}

pub fn anchor(stored: &RawDocument) -> Option<Head> {
    exact(stored).map(|anchor: Anchor| anchor.head)
}

/// None when a field is missing, of another type or in another place, or there is a further one.
fn exact<T: Serialize + DeserializeOwned>(stored: &RawDocument) -> Option<T> {
    let read: T = bson::deserialize_from_slice(stored.as_bytes()).ok()?;
    let written = bson::serialize_to_raw_document_buf(&read).ok()?;
    (written.as_bytes() == stored.as_bytes()).then_some(read)
}
