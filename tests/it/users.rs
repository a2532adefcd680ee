//! The users service.

mod accounts;
mod refresh_tokens;
mod roles;
mod sign_in;
