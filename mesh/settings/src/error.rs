//! Mistakes in the configuration.

use crate::Key;

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
    #[error("{} (or --{}) is not set: {}", .0.variable, .0.name, .0.doc)]
    Missing(&'static Key),
    /// Not of the right form.
    #[error("{} (or --{}) cannot be used: {why}", key.variable, key.name)]
    Bad {
        /// The setting.
        key: &'static Key,
        /// Why not.
        why: String,
    },
    /// A variable that every command knows, not of the right form.
    #[error("{variable} cannot be used: {why}")]
    BadVariable {
        /// The variable.
        variable: &'static str,
        /// Why not.
        why: String,
    },
}
