//! The users service.

mod accounts;
mod addresses;
mod clients;
mod erasure;
mod foreign;
pub mod recovery;
mod refresh_tokens;
mod revocation;
mod roles;
mod sign_in;
mod signing_keys;
