//! JSON over HTTP to protobuf and back, from the descriptors alone: no I/O, no business noun.
//!
//! The way of a call:
//!
//! 1. [`Router::find`] maps an HTTP method and path to a [`Route`]: one `google.api.http` binding of one [`Rpc`].
//!    Nothing of the body is needed for that, so that a gateway can check [`Rpc::access`] before it reads one.
//! 2. [`Match::request`] binds path variables, query, header and body to the fields of the request message: leaves with a
//!    text each in `bound.rs`, a JSON body in `parse`.
//! 3. [`Route::reply`] writes the reply as JSON, in `write`, and tells the version of what it shows.
//! 4. [`Router::status_json`] or [`oauth_json`] write what went wrong; [`Error::status`] makes the same kind of status
//!    of what this crate refuses.
//!
//! No message is built in between: `parse` goes once over the JSON and appends to the wire, `write` once over the wire and
//! appends to the JSON. Both read flat tables, `schema`, which are made of the descriptors when the router is built. The
//! tests compare both with the reflection of prost-reflect.
//!
//! What holds:
//!
//! - A field gets at most one value: path, query, body and header never overwrite each other. Equal values are fine,
//!   different ones are refused.
//! - An unknown query parameter or JSON key is refused with its path. All faults of a request are told at once.
//! - Path segments are decoded once, after they were split; a variable of one segment never holds `/`, `.` or `..`.
//! - Two bindings that answer to the same request do not build.
//! - No input panics. Nesting is bounded: 100 levels of messages, which is what services read, 8 of `Any` in `Any`, 32 names
//!   in a field path. Input is read once, but for the type of an `Any`, which may be its last key.

mod bound;
mod error;
mod leaf;
mod lexer;
mod mask_text;
mod number;
mod overlap;
mod parse;
mod parts;
mod percent;
mod query;
mod report;
mod request;
mod response;
mod route;
mod router;
mod rpc;
mod schema;
mod status;
mod table;
mod template;
#[cfg(test)]
mod tests;
mod time;
mod wire;
mod write;

pub use error::{BuildError, Error, Reason, Violation};
pub use overlap::Overlap;
pub use parts::{Body, Parts};
pub use percent::query;
pub use report::MAX_VIOLATIONS;
pub use request::{Explained, Origin, Request};
pub use response::Reply;
pub use route::Route;
pub use router::{Match, Router};
pub use rpc::{Access, Rpc};
pub use status::{http_status, oauth_json};
pub use write::Options;
