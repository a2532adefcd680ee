//! gRPC between the services: the server that each of them uses and the channel over which they call each other.
//!
//! A request passes `listen` (bounded connections, over `tls` where a port has a certificate) → `server` → `gate` (deadline, then token, then the contract's access rule) → the handler. A call
//! leaves through `channel` (deadline that shrinks with each hop, the caller's own token, the trace). What can go wrong
//! has one form, made in `status`: a code, an `ErrorInfo` reason, and fields where fields are at fault. `bearer` reads the
//! `authorization` header for the gateway too; `attempts` counts requests that fail, `breaker` keeps calls from a peer that
//! cannot be reached.
//!
//! Invariants: an RPC without an access rule is refused; an expired deadline is always DEADLINE_EXCEEDED; a service
//! stops taking requests on SIGTERM and ends within its grace period. `signature` signs and checks webhooks, `update` does
//! partial updates.

pub mod access;
pub mod attempts;
pub mod bearer;
pub mod breaker;
pub mod channel;
pub mod deadline;
mod gate;
mod health;
pub mod issuer;
pub mod listen;
mod principal;
mod reflection;
pub mod revocations;
pub mod server;
pub mod signature;
pub mod status;
pub mod tls;
pub mod token;
pub mod update;

pub use access::Rules;
pub use channel::Channel;
pub use contracts::role::Role;
pub use issuer::Issuer;
pub use listen::{Limits, Port};
pub use principal::Principal;
pub use revocations::Revocations;
pub use server::Server;
pub use token::{KeySet, Signer};

use tonic::{Request, Status};

/// Who sent this request. The gate has put it there; a request that did not pass the gate is anonymous.
pub fn principal<T>(request: &Request<T>) -> Principal {
    request.extensions().get::<Principal>().cloned().unwrap_or(Principal::Anonymous)
}

/// Why the credential of this request was refused; `None` when it was not. Only RPCs that are public meet one: they take
/// such a caller for anonymous, and may say so where that is not enough.
pub fn refused_credential<T>(request: &Request<T>) -> Option<Status> {
    request.extensions().get::<gate::RefusedCredential>().map(|refused| refused.0.clone())
}

/// The message of a request with its texts in their canonical forms, once it obeys the rules of its contract.
pub fn validated<T: contracts::Normalize + contracts::Validate>(request: Request<T>) -> Result<T, Status> {
    let mut message = request.into_inner();
    message.normalize();
    message.validate().map_err(status::violations)?;
    Ok(message)
}
