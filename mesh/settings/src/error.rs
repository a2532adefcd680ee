//! Mistakes in the configuration.

/// A mistake in the configuration; the process exits with 64.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such service.
    #[error("there is no service {name}; known: {known}")]
    Name {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A variable that nobody reads: a typing error, or that of another service.
    #[error("{variable} is not a setting of {name}; `comptoir config {name}` lists them")]
    Unknown {
        /// The variable.
        variable: String,
        /// The service.
        name: String,
    },
    /// A flag of another service.
    #[error("--{flag} is not a setting of {name}; `comptoir config {name}` lists them")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// The service.
        name: String,
    },
    /// Required and not set.
    #[error("{variable} (or --{flag}) is not set: {doc}")]
    Missing {
        /// The variable.
        variable: &'static str,
        /// The flag.
        flag: &'static str,
        /// What it means.
        doc: &'static str,
    },
    /// A variable that every command knows, not of the right form.
    #[error("{variable} cannot be used: {why}")]
    BadVariable {
        /// The variable.
        variable: &'static str,
        /// Why not.
        why: String,
    },
    /// Not of the right form.
    #[error("{variable} (or --{flag}) cannot be used: {why}")]
    Bad {
        /// The variable.
        variable: &'static str,
        /// The flag.
        flag: &'static str,
        /// Why not.
        why: String,
    },
}
