//! The faults found while one request is bound, and which fields already have a value.

use crate::error::{Error, Reason, Violation};
use std::collections::HashMap;

/// A reply lists no more faults than this; the rest is dropped.
pub const MAX_VIOLATIONS: usize = 32;

/// Where the value of a field came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Path,
    Query,
    Header,
    IfMatch,
    Body,
}

/// What came of a claim.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Claim {
    /// The field is free.
    First,
    /// It has a value from this source, and may get the same one again.
    Again(Source),
    /// It has a value from the same source; the fault is noted.
    Refused,
}

/// Collects faults instead of stopping at the first.
#[derive(Debug, Default)]
pub(crate) struct Report {
    claims: HashMap<String, Source>,
    violations: Vec<Violation>,
}

impl Report {
    /// Takes the field at `path` for `source`. Several values for a `repeated` field are fine in the query.
    pub(crate) fn claim(&mut self, path: &str, source: Source, repeated: bool) -> Claim {
        match self.claims.get(path) {
            None => {
                self.claims.insert(path.to_owned(), source);
                Claim::First
            }
            Some(other) if *other != source => Claim::Again(*other),
            // A repeated query parameter is a list; a repeated key or path variable is a mistake.
            Some(_) if repeated && source == Source::Query => Claim::First,
            Some(_) => {
                self.fault(path, format!("is bound twice {}", source.name()), Reason::BoundTwice);
                Claim::Refused
            }
        }
    }

    pub(crate) fn is_claimed(&self, path: &str) -> bool {
        self.claims.contains_key(path)
    }

    /// Notes that the field at `path` got different values from two sources.
    pub(crate) fn conflict(&mut self, path: &str, first: Source, second: Source) {
        let description = format!("has one value {} and another {}", first.name(), second.name());
        self.fault(path, description, Reason::BoundTwice);
    }

    pub(crate) fn fault(&mut self, path: &str, description: impl Into<String>, reason: Reason) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation { field: path.to_owned(), description: description.into(), reason });
        }
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
    fn name(self) -> &'static str {
        match self {
            Source::Path => "in the path",
            Source::Query => "in the query",
            Source::Header => "in the header Idempotency-Key",
            Source::IfMatch => "in the header If-Match",
            Source::Body => "in the body",
        }
    }
}

/// `at.name`, or `name` at the top.
pub(crate) fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}
