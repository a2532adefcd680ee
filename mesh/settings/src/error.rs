//! Mistakes in the configuration.

use crate::Key;

/// A mistake in the configuration; the process exits with 64.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no service {name}; known: {known}")]
    Name { name: String, known: String },
    /// A variable that nobody reads: a typing error, or that of another service.
    #[error("{variable} is not a setting of {name}; `comptoir config {name}` lists them")]
    Unknown { variable: String, name: String },
    /// A flag of another service.
    #[error("--{flag} is not a setting of {name}; `comptoir config {name}` lists them")]
    Flag { flag: &'static str, name: String },
    #[error("{} (or --{}) is not set: {}", .0.variable, .0.name, .0.doc)]
    Missing(&'static Key),
    #[error("{} (or --{}) cannot be used: {why}", key.variable, key.name)]
    Bad { key: &'static Key, why: String },
    /// A variable that every command knows, not of the right form.
    #[error("{variable} cannot be used: {why}")]
    BadVariable { variable: &'static str, why: String },
}
