//! Entries, the chain of a day, and what a hash covers. Pure.

use ::store::Time;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One event, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Place: the day and the number in it, so that the order of the texts is that of the chain. Empty until it has one.
    #[serde(rename = "_id")]
    pub id: String,
    pub event_id: String,
    pub service: String,
    pub aggregate: String,
    pub aggregate_id: String,
    pub seq: i64,
    #[serde(rename = "type")]
    pub event_type: String,
    pub name: String,
    pub event_at: Time,
    /// User, client or service; empty when nobody was signed in, and where the service acts by itself.
    pub actor: String,
    pub actor_role: String,
    /// SHA-256 of the message.
    pub data_digest: String,
    pub hash: String,
}

/// The end of a day's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    #[serde(rename = "_id")]
    pub day: String,
    /// Entries of the day.
    pub count: i64,
    /// What the first entry follows: made of the end of the day before.
    pub start: String,
    /// Hash of the last entry; `start` without one.
    pub hash: String,
}

/// The newest day once more: with it a newest day that is gone is missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    #[serde(rename = "_id")]
    pub id: String,
    pub head: Head,
}

impl Entry {
    /// Names the event with this place among those of the aggregate.
    pub fn key(&self, seq: i64) -> String {
        key(&self.service, &self.aggregate, &self.aggregate_id, seq)
    }
}

/// Names an event by its place among those of its aggregate.
pub fn key(service: &str, aggregate: &str, aggregate_id: &str, seq: i64) -> String {
    format!("{service}/{aggregate}/{aggregate_id}#{seq}")
}

impl Head {
    /// The chain of `day`, which follows that of `before`.
    pub fn new(day: String, before: Option<&Head>) -> Self {
        let start = start(before);
        Self { day, count: 0, hash: start.clone(), start }
    }

    /// Gives `entry` the next place that is not `taken`.
    pub fn append(&mut self, mut entry: Entry, taken: &[String]) -> Entry {
        entry.id = loop {
            self.count += 1;
            let place = entry_id(&self.day, self.count);
            if !taken.contains(&place) {
                break place;
            }
        };
        entry.hash = hash(&self.hash, &entry);
        self.hash.clone_from(&entry.hash);
        entry
    }
}

/// What the first entry of a day follows.
pub fn start(before: Option<&Head>) -> String {
    before.map_or_else(|| hex("comptoir"), |head| hex(format!("{} {}", head.day, head.hash)))
}

/// The place of an entry.
pub fn entry_id(day: &str, number: i64) -> String {
    format!("{day}/{number:012}")
}

/// The hash of an entry that follows the one with the hash `before`.
pub fn hash(before: &str, entry: &Entry) -> String {
    let (seq, at) = (entry.seq.to_string(), entry.event_at.timestamp_millis().to_string());
    let mut content = Sha256::new();
    for text in [
        before,
        &entry.id,
        &entry.event_id,
        &entry.service,
        &entry.aggregate,
        &entry.aggregate_id,
        &seq,
        &entry.event_type,
        &entry.name,
        &at,
        &entry.actor,
        &entry.actor_role,
        &entry.data_digest,
    ] {
        // With its length, so that no text passes into the next one.
        content.update((text.len() as u64).to_be_bytes());
        content.update(text);
    }
    encode(&content.finalize())
}

/// SHA-256, hexadecimal.
pub fn hex(content: impl AsRef<[u8]>) -> String {
    encode(&Sha256::digest(content))
}

fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
