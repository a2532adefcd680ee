//! JSON over HTTP to protobuf and back, from the descriptors alone: no I/O, no business noun.
//!
//! The way of a call:
//!
//! 1. [`Router::find`] maps an HTTP method and path to a [`Route`]: one `google.api.http` binding of one [`Rpc`].
//!    Nothing of the body is needed for that, so that a gateway can check [`Rpc::access`] before it reads one.
//! 2. [`Match::request`] binds path variables, query, header and body to the fields of the request message, in
//!    `request.rs`, with the leaves set in `field.rs`, and encodes it.
//! 3. [`Route::reply`] decodes the reply, writes it as JSON and tells the version of what it shows.
//! 4. [`Router::status_json`] or [`oauth_json`] write what went wrong; [`Error::status`] makes the same kind of status
//!    of what this crate refuses.
//!
//! What holds:
//!
//! - A field gets at most one value: path, query, body and header never overwrite each other. Equal values are fine,
//!   different ones are refused.
//! - An unknown query parameter or JSON key is refused with its path. All faults of a request are told at once.
//! - Path segments are decoded once, after they were split; a variable of one segment never holds `/`, `.` or `..`.
//! - Two bindings that answer to the same request do not build.
//! - No input panics. Nesting is bounded: 127 levels of JSON, 32 names in a field path.

mod error;
mod field;
mod json;
mod mask;
mod mask_text;
mod number;
mod parts;
mod percent;
mod query;
mod report;
mod request;
mod response;
mod route;
mod router;
mod rpc;
mod status;
mod template;
#[cfg(test)]
mod tests;

pub use error::{BuildError, Error, Reason, Violation};
pub use parts::{Body, Parts};
pub use report::MAX_VIOLATIONS;
pub use request::Request;
pub use response::Reply;
pub use route::Route;
pub use router::{Match, Router};
pub use rpc::{Access, Rpc};
pub use status::{http_status, oauth_json};
