//! The users service.

mod accounts;
mod clients;
mod erasure;
pub mod recovery;
mod refresh_tokens;
mod revocation;
mod roles;
mod sign_in;
mod signing_keys;
