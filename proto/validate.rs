//! What the `buf.validate` rules of the contracts compile to: one [`Validate`] per message, all violations at once.

use crate::Normalize;
use prost::Message;
use regex::Regex;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path from the request, for example `order.items[0].quantity`.
    pub field: String,
    /// What would be right.
    pub description: String,
}

/// A message with rules; generated for every message of the contracts.
pub trait Validate {
    /// Adds what breaks a rule to `found`; `path` is the message's own, empty for a request.
    fn check(&self, path: &str, found: &mut Vec<Violation>);

    /// All violations, or none.
    fn validate(&self) -> Result<(), Vec<Violation>> {
        let mut found = Vec::new();
        self.check("", &mut found);
        if found.is_empty() { Ok(()) } else { Err(found) }
    }
}

/// Checks an encoded request as its service does: in its canonical form.
pub type Check = fn(&[u8]) -> Result<(), Vec<Violation>>;

/// The check of a request by the full name of its message, for who has no types; none of messages that are no requests of
/// ours.
pub fn check_of(message: &str) -> Option<Check> {
    crate::generated::check_of(message)
}

/// What cannot be decoded is the service's to refuse.
pub(crate) fn encoded<M: Message + Default + Normalize + Validate>(message: &[u8]) -> Result<(), Vec<Violation>> {
    let Ok(mut message) = M::decode(message) else { return Ok(()) };
    message.normalize();
    message.validate()
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

pub(crate) fn refuse(found: &mut Vec<Violation>, path: &str, name: &str, description: &str) {
    found.push(Violation { field: join(path, name), description: description.to_owned() });
}

/// Whether `value` looks like `local@domain.tld`; delivery alone can prove more.
pub(crate) fn is_email(value: &str) -> bool {
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    let labels = domain.split('.').collect::<Vec<_>>();
    let is_label = |label: &&str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !local.is_empty()
        // RFC 5321, section 4.5.3.1.1.
        && local.len() <= 64
        && !local.contains(|c: char| c.is_whitespace() || c.is_control() || "@,;:<>()[]\\\"".contains(c))
        && labels.len() >= 2
        && labels.iter().all(is_label)
}

pub(crate) fn pattern(source: &str) -> Regex {
    Regex::new(source).expect("the build compiled every pattern")
}
