//! The gateway, as an HTTP client meets it.

mod codings;
mod credentials;
mod if_match;
mod if_none_match;
mod invalid_requests;
mod pagination;
mod protocol;
mod refusals;
mod updates;
mod watches;
