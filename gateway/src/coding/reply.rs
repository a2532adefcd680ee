//! Replies in gzip, br or zstd, as `Accept-Encoding` asks; of equal ones zstd before br before gzip, which is by CPU.
//!
//! Streams are never coded: a message must not wait for the next one in a compressor. Nor is what fits into a packet.

use super::Coding;
use axum::response::Response;
use http::{
    Extensions, HeaderMap, HeaderValue, StatusCode, Version,
    header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG},
};
use tower_http::compression::{
    CompressionLayer, Predicate,
    predicate::{And, SizeAbove},
};

/// Replies of fewer bytes go out as they are: with their head they are one packet or two.
const LEAST_BYTES: u16 = 1024;

/// The media types of replies that end at once, and compress well.
const CODED: [&str; 2] = ["application/json", "application/problem+json"];

type IsCoded = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// The layer that codes replies. Over it belongs [`tag`].
pub(crate) fn layer() -> CompressionLayer<And<SizeAbove, IsCoded>> {
    let is_coded: IsCoded = |_, _, headers, _| {
        let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        media_type.is_some_and(|media_type| CODED.iter().any(|coded| coded.as_bytes() == media_type))
    };
    CompressionLayer::new().compress_when(SizeAbove::new(LEAST_BYTES).and(is_coded))
}

/// The reply with an `ETag` of its coding.
pub(crate) async fn tag(mut response: Response) -> Response {
    let headers = response.headers();
    let coding = headers.get(CONTENT_ENCODING).and_then(|name| Coding::named(name.as_bytes()));
    let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok()?.strip_suffix('"'));
    if let (Some(coding), Some(open)) = (coding, tag)
        && let Ok(tag) = HeaderValue::try_from(format!("{open}-{}\"", coding.name()))
    {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
