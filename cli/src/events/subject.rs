//! Subject patterns as in NATS: words between dots, `*` for any word, a last `>` for one word or more.

use contracts::events::v1::Event;
use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<String>);

impl Pattern {
    /// Whether `subject` is one of those that are meant.
    pub fn matches(&self, subject: &str) -> bool {
        let mut words = subject.split('.');
        for expected in &self.0 {
            match (expected.as_str(), words.next()) {
                (">", rest) => return rest.is_some(),
                ("*", Some(_)) => {}
                (word, Some(found)) if word == found => {}
                _ => return false,
            }
        }
        words.next().is_none()
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<String> = text.split('.').map(str::to_owned).collect();
        if words.iter().any(String::is_empty) {
            return Err("a word between the dots is empty".to_owned());
        }
        if let Some(word) = words.iter().find(|word| word.len() > 1 && word.contains(['*', '>'])) {
            return Err(format!("{word:?}: * and > stand for whole words"));
        }
        if words.iter().rev().skip(1).any(|word| word == ">") {
            return Err("> can only be the last word".to_owned());
        }
        Ok(Self(words))
    }
}

/// The subject on which an event is published.
pub fn of(event: &Event) -> String {
    format!("evt.{}.{}.{}.{}", event.service, event.aggregate, event.name, event.aggregate_id)
}
