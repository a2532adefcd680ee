//! What a look at an invariant finds.

/// What one look has found.
#[derive(Debug, Default)]
pub struct Examined {
    /// Subjects that were looked at.
    pub checked: u64,
    pub suspects: Vec<Violation>,
    /// What a person should know, and what no promise is broken by.
    pub notes: Vec<String>,
}

impl Examined {
    pub fn suspect(&mut self, subject: &str, expected: impl Into<String>, found: impl Into<String>) {
        self.suspects.push(Violation { subject: subject.to_owned(), expected: expected.into(), found: found.into() });
    }
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// What it is about: an id, or `service/aggregate/id`.
    pub subject: String,
    pub expected: String,
    pub found: String,
}
