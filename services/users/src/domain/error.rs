//! Why the rules refuse what is asked of an account. Pure.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is missing, or has no value of its kind.
    #[error("{0} {1}")]
    Field(String, String),
    /// Roles were asked for by somebody who is not staff.
    #[error("only staff may grant roles")]
    RolesForbidden,
    #[error("there is no role {0:?}")]
    UnknownRole(String),
}
