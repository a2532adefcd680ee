//! `GET /openapi.json`: the OpenAPI document of all that is served. Written once, at start; a cache asks whether it is still
//! the same.

use crate::{
    Error,
    condition::{self, none_match},
    error::Failure,
    reply,
};
use axum::response::Response;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CACHE_CONTROL, ETAG},
};
use openapi::Info;
use prost_reflect::DescriptorPool;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

pub(crate) const PATH: &str = "/openapi.json";

/// Caches keep it and ask each time: after an upgrade nobody generates a client from the contracts of yesterday.
const ASK: HeaderValue = HeaderValue::from_static("no-cache");

/// Bytes of the digest in its ETag.
const TAG_BYTES: usize = 16;

const DESCRIPTION: &str = "A commerce backend: users, products, stock, orders, payments and shipping.\n\n\
    - JSON is that of protobuf: 64-bit integers and decimals are strings, enums have names, times are RFC 3339.\n\
    - A member or a query parameter that is not known is refused, and all that is wrong with a request is told at once.\n\
    - A request with an Idempotency-Key may be repeated as it is: it is answered again and not done again.\n\
    - A list goes on while its reply has a `nextPageToken`; send it back as `pageToken`.";

/// The document of the contracts that this build was made of.
pub fn openapi() -> Result<Value, Error> {
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).map_err(transcode::BuildError::from)?;
    let version = env!("CARGO_PKG_VERSION");
    let info = Info { title: "Comptoir", version, description: DESCRIPTION, license: "Apache-2.0" };
    Ok(openapi::document(&pool, info)?)
}

/// The document as it is sent.
pub(crate) struct Document {
    json: Bytes,
    /// A digest of it, in quotes.
    etag: HeaderValue,
}

impl Document {
    pub(crate) fn new() -> Result<Self, Error> {
        let json = Bytes::from(openapi()?.to_string());
        let digest = Sha256::digest(&json).iter().take(TAG_BYTES).fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes what is written");
            text
        });
        let etag = condition::tag(&digest).expect("hexadecimal digits are a tag");
        Ok(Document { json, etag })
    }

    /// The document; who has it already gets 304.
    pub(crate) fn reply(&self, headers: &HeaderMap) -> Result<Response, Failure> {
        let unwanted = none_match::of(headers)?;
        let mut response = reply::json(StatusCode::OK, self.json.clone());
        response.headers_mut().insert(ETAG, self.etag.clone());
        response.headers_mut().insert(CACHE_CONTROL, ASK);
        Ok(none_match::attach(unwanted, &Method::GET, response))
    }
}
