//! The chain of a day: what an entry's hash covers, and where a chain is broken. Pure.

#[cfg(test)]
mod tests;

use ::store::Time;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Most faults that are told of a day: enough to see what was done.
pub const MAX_FAULTS: usize = 100;

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
    /// User or service; empty when nobody was signed in, and where the service acts by itself.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    Changed,
    Removed,
    Inserted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub entry_id: String,
    pub kind: FaultKind,
    pub description: String,
}

impl Head {
    /// The chain of `day`, which follows that of `before`.
    pub fn new(day: String, before: Option<&Head>) -> Self {
        let start = start(before);
        Self { day, count: 0, hash: start.clone(), start }
    }

    /// Gives `entry` the next place.
    pub fn append(&mut self, mut entry: Entry) -> Entry {
        self.count += 1;
        entry.id = entry_id(&self.day, self.count);
        entry.hash = hash(&self.hash, &entry);
        self.hash.clone_from(&entry.hash);
        entry
    }
}

/// What the first entry of a day follows.
fn start(before: Option<&Head>) -> String {
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

/// Goes through the entries of a day in their order and notes what is wrong.
#[derive(Debug)]
pub struct Check {
    head: Head,
    number: i64,
    hash: String,
    faults: Vec<Fault>,
}

impl Check {
    /// Of the day of `head`, which should follow the chain of `before`.
    pub fn new(head: Head, before: Option<&Head>) -> Self {
        let mut check = Self { number: 0, hash: head.start.clone(), head, faults: Vec::new() };
        if check.head.start != start(before) {
            let day = check.head.day.clone();
            check.note(
                day,
                FaultKind::Changed,
                "it does not follow the day before it, of which something was changed or removed",
            );
        }
        check
    }

    /// The next entry that there is, up to the last one that the day should have.
    pub fn entry(&mut self, entry: &Entry) {
        let number =
            entry.id.strip_prefix(&format!("{}/", self.head.day)).and_then(|number| number.parse::<i64>().ok());
        let number = number.filter(|number| entry_id(&self.head.day, *number) == entry.id && *number > self.number);
        let Some(number) = number else { return self.inserted(&entry.id) };
        if number == self.number + 1 {
            if hash(&self.hash, entry) != entry.hash {
                self.note(
                    entry.id.clone(),
                    FaultKind::Changed,
                    "its hash is not that of its content and of the entry before it",
                );
            }
        } else {
            self.missing(number);
        }
        self.number = number;
        self.hash.clone_from(&entry.hash);
    }

    /// An entry that is no part of the chain.
    pub fn inserted(&mut self, entry_id: &str) {
        self.note(entry_id.to_owned(), FaultKind::Inserted, "it has no place in the chain of its day");
    }

    /// What is wrong, once all entries were looked at.
    pub fn end(mut self) -> Vec<Fault> {
        if self.number < self.head.count {
            self.missing(self.head.count + 1);
        } else if self.hash != self.head.hash {
            let last = entry_id(&self.head.day, self.number);
            self.note(last, FaultKind::Changed, "its hash is not the one that its day ends with");
        }
        self.faults
    }

    /// The entries between the last one that was there and `next` are not there.
    fn missing(&mut self, next: i64) {
        let (first, count) = (entry_id(&self.head.day, self.number + 1), next - self.number - 1);
        self.note(first, FaultKind::Removed, &format!("{count} missing from here on"));
    }

    fn note(&mut self, entry_id: String, kind: FaultKind, description: &str) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { entry_id, kind, description: description.to_owned() });
        }
    }
}
