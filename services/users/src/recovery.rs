//! Password reset and verification of addresses: both by a token that is sent by mail.
//!
//! A request records an event, `email` hears it and asks for the token when it sends the mail. So no token is in an event or a
//! log. The token's effect is bound to the account's state in one write: a second use of a token finds nothing to do.

pub mod domain;
pub mod rpc;
pub mod store;
