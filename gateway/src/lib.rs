//! The gateway: JSON over HTTP in, gRPC out. It knows no business; descriptors tell it what to serve: those of the contracts, of a
//! file, or of a server that is asked for them (`reflect`).
//!
//! A request passes, in this order:
//!
//! 1. `server`: HTTP/1.1 or HTTP/2, over TLS where there is a certificate; the drain at the end, bounded by 10 s.
//! 2. `observe`: request id, span, and the line of the `access_log` that is written when all of the reply is out. `cors`: what
//!    browsers are told. `handle`: the order of the steps below. `protocol`: what HTTP itself asks of a request.
//! 3. `transcode::Router`: which RPC the method and path mean. 404, 405 and OPTIONS end here.
//! 4. `admission`, **before** the body is read: `limits`, how many requests the caller's address may send (`client` tells the
//!    address); `auth`, the bearer token against the RPC's access rule; `sign_ins`, whether the address has failed too often to
//!    sign in; `limits` again, of the user and of the RPC.
//! 5. `condition` and `conditional_write`: `If-Match` and `If-None-Match`. `deadline` and `body`: how long it may take; the body, bounded in bytes and
//!    time. `coding`: the body without its content coding, bounded again; on the way back the reply in the caller's.
//! 6. `transcode::Match::request`: one protobuf message, or all that is wrong with the request; `validation`: the rules of
//!    `buf.validate`.
//! 7. `call`: the RPC with raw bytes. Only authorization, trace, request id, deadline and headers that a setting names go along.
//!    `upstream`: refused at once where it cannot be reached, or has too many calls under way.
//! 8. `reply` or `stream`: JSON, NDJSON or server-sent events; errors as `google.rpc.Status` in JSON, or as what `problem`
//!    makes of it.
//!
//! An RPC may also be called by its own name, `/package.Service/Method` (`named`): as gRPC and gRPC-Web, whose messages pass as
//! they are (`grpc`), or as Connect (`connect`). Tokens, limits and deadlines are the same.
//!
//! All that follows from the descriptors is one value, a `schema`: routes, pages, and the connections of `upstreams`. `reload`
//! puts another one in its place; a request keeps the one that it began with.
//!
//! Beside the calls, `health` answers probes; `pages` shows `document`, the OpenAPI document of all that is served.
//!
//! What holds: the services decide, the gateway only refuses earlier what they would refuse. An RPC without `public`,
//! `user`, `owner` or `roles` in its access rule does not exist over HTTP; where a contract has no rule, a setting may be it. Nothing is kept between requests, so a crash
//! loses the requests under way and nothing else.

mod accept;
mod access_log;
mod admission;
mod auth;
mod body;
mod call;
mod channel;
mod client;
mod coding;
mod condition;
mod conditional_write;
mod config;
mod connect;
mod cors;
mod deadline;
mod document;
mod error;
mod exchange;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
mod handle;
mod headers;
mod health;
mod limits;
mod lines;
mod linger;
mod named;
mod observe;
mod pages;
mod problem;
mod protocol;
mod rates;
mod reflect;
mod reload;
mod reply;
mod schema;
mod server;
mod sign_ins;
mod state;
mod stream;
mod streams;
mod uplink;
mod upstream;
mod upstreams;
mod validation;
mod well_known;

pub use config::{Config, DefaultAccess, ForwardedHeaders, IgnoredParameters, JsonOutput, KEYS};
pub use document::openapi;
pub use error::Error;
pub use rates::{Nats, RateLimits};
pub use reflect::descriptors as reflected;
pub use schema::{Source, router};
pub use server::run;
pub use transcode::Options as JsonOptions;
pub use upstream::Bounds;
pub use upstreams::Addresses;
