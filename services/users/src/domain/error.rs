//! Why the rules refuse what is asked of an account. Pure.

use contracts::validate::Violation;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is missing, or has no value of its kind.
    #[error("{0} {1}")]
    Field(String, String),
    /// Addresses that their country's post would not take.
    #[error("{} fields of an address are at fault", .0.len())]
    Address(Vec<Violation>),
    /// Roles were asked for by somebody who is no admin.
    #[error("only an admin may grant roles")]
    RolesForbidden,
    #[error("{0:?} is not support, staff or admin")]
    UnknownRole(String),
    #[error("the account has a role above yours")]
    RoleAbove,
    /// Admins who would take their own role, or anybody who would lock or unlock themselves.
    #[error("the account is your own: another one must do this")]
    OwnAccount,
}
