//! The faults found while one request is bound.

use crate::error::{Error, Reason, Violation};

/// A reply lists no more faults than this; the rest is dropped.
pub const MAX_VIOLATIONS: usize = 32;

/// Where the value of a field came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Path,
    Query,
    Header,
    IfMatch,
    /// A header that the contract names.
    Named,
    Body,
}

/// Collects faults instead of stopping at the first.
#[derive(Debug, Default)]
pub(crate) struct Report {
    violations: Vec<Violation>,
}

impl Report {
    pub(crate) fn fault(&mut self, path: &str, description: impl Into<String>, reason: Reason) {
        if !self.is_full() {
            self.violations.push(Violation { field: path.to_owned(), description: description.into(), reason });
        }
    }

    /// Whether further faults would be dropped.
    pub(crate) fn is_full(&self) -> bool {
        self.violations.len() >= MAX_VIOLATIONS
    }

    pub(crate) fn count(&self) -> usize {
        self.violations.len()
    }

    /// Drops all faults but the first `count`.
    pub(crate) fn forget(&mut self, count: usize) {
        self.violations.truncate(count);
    }

    /// `Ok` when no fault was found. The caller is told of fields by the names that `spell` gives them.
    pub(crate) fn finish(mut self, spell: impl Fn(&str) -> String) -> Result<(), Error> {
        for violation in &mut self.violations {
            violation.field = spell(&violation.field);
        }
        if self.violations.is_empty() { Ok(()) } else { Err(Error::Invalid(self.violations)) }
    }
}

impl Source {
    /// That a field got different values from two sources.
    pub(crate) fn conflict(self, second: Source) -> String {
        if self == second {
            return format!("is bound twice {}", self.name());
        }
        format!("has one value {} and another {}", self.name(), second.name())
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Source::Path => "in the path",
            Source::Query => "in the query",
            Source::Header => "in the header Idempotency-Key",
            Source::IfMatch => "in the header If-Match",
            Source::Named => "in the header of its name",
            Source::Body => "in the body",
        }
    }
}

/// `at.name`, or `name` at the top.
pub(crate) fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}
