//! The users service.

mod accounts;
mod refresh_tokens;
mod revocation;
mod roles;
mod sign_in;
