//! The versions of orders that readers name. Pure.

#[cfg(test)]
mod tests;

use std::fmt;

/// The text is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the version of an order, such as ord_…:3")]
pub struct NoVersion;

/// A version of an order, as its `version` has it: the identifier and the `seq` of its newest event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub order_id: String,
    pub seq: i64,
}

impl Version {
    /// None when nothing is asked for.
    pub fn parse(text: &str) -> Result<Option<Self>, NoVersion> {
        if text.is_empty() {
            return Ok(None);
        }
        let parts = text.split_once(':').filter(|(order_id, _)| !order_id.is_empty());
        let seq = |text: &str| text.parse().ok().filter(|seq: &i64| *seq > 0);
        let version = parts.and_then(|(order_id, text)| Some(Self { order_id: order_id.to_owned(), seq: seq(text)? }));
        version.map(Some).ok_or(NoVersion)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}:{}", self.order_id, self.seq)
    }
}
