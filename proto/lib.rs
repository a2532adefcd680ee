//! The contracts of Comptoir: everything that one service may know of another.
//!
//! `proto/comptoir/<service>/v1` holds the protobuf sources; this crate holds what is generated from them (types,
//! clients, servers, [`Validate`] rules), the [`DESCRIPTORS`] that the gateway, reflection and the access rules read,
//! and small modules that every service needs to speak them: [`money`], [`id`], [`text`], [`words`], [`country`] and [`address`].
//!
//! A name here has one spelling everywhere: message `Order`, collection `orders`, subject `evt.orders.order.*`.

pub mod address;
pub mod country;
pub mod id;
pub mod money;
pub mod role;
pub mod text;
pub mod validate;
pub mod words;

pub use text::Normalize;
pub use validate::Validate;

/// The encoded `FileDescriptorSet` of all contracts, with comments and imports.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

// Comments of the contracts are plain text, not Markdown: `<service>` is no tag there.
#[allow(clippy::all, rustdoc::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
    include!(concat!(env!("OUT_DIR"), "/validate.rs"));
    include!(concat!(env!("OUT_DIR"), "/normalize.rs"));
}

pub use generated::comptoir::*;
pub use generated::google;
