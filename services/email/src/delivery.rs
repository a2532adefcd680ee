//! How it ends when a mail is handed over.

/// What became of a mail that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Taken,
    /// The server knows that the address takes no mail; with its code.
    Bounced(String),
    /// The server does not take this mail; with its code.
    Refused(String),
    /// Another attempt may succeed; with what was wrong.
    Later(String),
}
