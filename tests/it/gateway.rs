//! The gateway, as an HTTP client meets it.

mod bad_input;
mod credentials;
mod if_match;
mod pages;
mod protocol;
mod refusals;
mod updates;
mod watches;
