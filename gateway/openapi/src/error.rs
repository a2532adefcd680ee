//! Why a document cannot be written.

/// Why a document cannot be written. Each is a fault of the contracts, found at start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{rpc}: template {template:?}: {problem}")]
    Template { rpc: String, template: String, problem: &'static str },
    /// A variable, body or response_body names no field.
    #[error("{rpc}: {field:?} is no field")]
    Field { rpc: String, field: String },
}
