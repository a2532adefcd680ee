//! Where a chain is broken. Pure.

#[cfg(test)]
mod tests;

use crate::{
    domain::{Head, entry_id, hash, start},
    stored,
};
use bson::RawDocument;

/// Most faults that are told of a day: enough to see what was done.
pub const MAX_FAULTS: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    Changed,
    Removed,
    Inserted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The entry, or the day.
    pub entry_id: String,
    pub kind: FaultKind,
    pub description: String,
}

impl Fault {
    pub fn new(entry_id: impl Into<String>, kind: FaultKind, description: impl Into<String>) -> Self {
        Self { entry_id: entry_id.into(), kind, description: description.into() }
    }

    fn inserted(entry_id: &str) -> Self {
        Self::new(entry_id, FaultKind::Inserted, "it has no place in the chain of its day")
    }
}

/// Goes through the entries of a day in their order and notes what is wrong.
#[derive(Debug)]
pub struct Check {
    head: Head,
    number: i64,
    hash: String,
    /// Hash of the last entry that fits, and how many faults had been noted by then.
    fitting: (String, usize),
    faults: Vec<Fault>,
}

impl Check {
    /// Of the day of `head`, which should follow the chain of `before`.
    pub fn new(head: Head, before: Option<&Head>) -> Self {
        let (hash, fitting) = (head.start.clone(), (head.start.clone(), 0));
        let mut check = Self { number: 0, hash, fitting, head, faults: Vec::new() };
        if check.head.start != start(before) {
            let day = check.head.day.clone();
            check.note(day, FaultKind::Changed, "it does not follow the day before it, which was changed or removed");
            check.fitting.1 = 1;
        }
        check
    }

    /// The next document that there is, up to the last entry that the day should have.
    pub fn entry(&mut self, document: &RawDocument) {
        let id = document.get_str("_id").unwrap_or_default();
        let number = id.strip_prefix(&format!("{}/", self.head.day)).and_then(|number| number.parse::<i64>().ok());
        let number = number.filter(|number| entry_id(&self.head.day, *number) == id && *number > self.number);
        let Some(number) = number else { return self.inserted(id) };
        if number > self.number + 1 {
            self.missing(number);
        }
        let fits = number > self.number + 1 || self.compare(id, document);
        self.number = number;
        document.get_str("hash").unwrap_or_default().clone_into(&mut self.hash);
        if fits {
            self.fitting = (self.hash.clone(), self.faults.len());
        }
    }

    /// Whether the document is the next entry.
    fn compare(&mut self, id: &str, document: &RawDocument) -> bool {
        let what = match stored::entry(document) {
            None => "it has a field that no entry has, or not those that an entry has",
            Some(entry) if hash(&self.hash, &entry) == entry.hash => return true,
            Some(entry) if hash(&self.fitting.0, &entry) == entry.hash => {
                // It was appended behind those in between, which others had put there.
                for fault in self.faults.iter_mut().skip(self.fitting.1) {
                    *fault = Fault::inserted(&fault.entry_id);
                }
                return true;
            }
            Some(_) => "its hash is not that of its content and of the entry before it",
        };
        self.note(id.to_owned(), FaultKind::Changed, what);
        false
    }

    /// An entry that is no part of the chain.
    pub fn inserted(&mut self, entry_id: &str) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault::inserted(entry_id));
        }
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
            self.faults.push(Fault::new(entry_id, kind, description));
        }
    }
}

/// What is wrong with the newest of `heads`, which are all days from some day on: `anchor` was the newest one before they
/// were read, and `later` was it after.
pub fn newest(heads: &[Head], anchor: Option<&Head>, later: Option<&Head>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(anchor) = anchor {
        match heads.iter().find(|head| head.day == anchor.day) {
            None => {
                let description = format!("the day is missing; it had {} entries", anchor.count);
                faults.push(Fault::new(&anchor.day, FaultKind::Removed, description));
            }
            Some(head) if head.count < anchor.count || (head.count == anchor.count && head.hash != anchor.hash) => {
                let description = format!("the day ended with entry {} and another hash before", anchor.count);
                faults.push(Fault::new(&anchor.day, FaultKind::Changed, description));
            }
            Some(_) => {}
        }
    }
    if let Some(later) = later {
        let unknown = heads.iter().filter(|head| head.day > later.day);
        let inserted = |head: &Head| Fault::new(&head.day, FaultKind::Inserted, "the anchor knows of no such day");
        faults.extend(unknown.map(inserted));
    } else if let Some(last) = heads.last() {
        faults.push(Fault::new(
            &last.day,
            FaultKind::Removed,
            "the anchor, which knows the newest day, is missing or changed",
        ));
    }
    faults
}
