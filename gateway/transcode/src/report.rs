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
    Body,
}

/// Collects faults instead of stopping at the first.
#[derive(Debug, Default)]
pub(crate) struct Report {
    claims: HashMap<String, Source>,
    violations: Vec<Violation>,
}

impl Report {
    /// Takes the field at `path` for `source`. False, and a fault, when it has a value already. Several values for a
    /// `repeated` field are fine as long as one source gives them.
    pub(crate) fn claim(&mut self, path: &str, source: Source, repeated: bool) -> bool {
        match self.claims.get(path) {
            None => {
                self.claims.insert(path.to_owned(), source);
                true
            }
            Some(other) if repeated && *other == source && source == Source::Query => true,
            Some(other) => {
                let description = if *other == source {
                    format!("is bound twice {}", source.name())
                } else {
                    format!("is bound twice: {} and {}", other.name(), source.name())
                };
                self.fault(path, description, Reason::BoundTwice);
                false
            }
        }
    }

    /// Notes a fault of the field at `path`.
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
            Source::Body => "in the body",
        }
    }
}

/// `at.name`, or `name` at the top.
pub(crate) fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}
