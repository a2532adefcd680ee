//! The users service.

mod accounts;
mod refresh_tokens;
mod sign_in;
