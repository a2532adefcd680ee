//! Replies in gzip, br or zstd, as `Accept-Encoding` asks; of equal ones zstd before br before gzip, which is by CPU.
//!
//! Streams are never coded: a message must not wait for the next one in a compressor. Nor is what fits into a packet.

use super::Coding;
use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use http::{
    Extensions, HeaderMap, HeaderValue, Request, StatusCode, Version,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY},
};
use std::{convert::Infallible, future};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::compression::CompressionLayer;

/// Replies of fewer bytes go out as they are: with their head they are one packet or two.
const LEAST_BYTES: u64 = 1024;

/// The media types of replies that end at once, and compress well.
const CODED: [&str; 3] = ["application/json", "application/problem+json", crate::reply::CSV];

/// What a caller accepts: the values of `Accept-Encoding`.
pub(crate) fn accepted(headers: &HeaderMap) -> Vec<HeaderValue> {
    headers.get_all(ACCEPT_ENCODING).iter().cloned().collect()
}

/// The reply in a coding that the caller accepts, with an `ETag` of that coding.
pub(crate) async fn encode(mut response: Response, accepted: Vec<HeaderValue>) -> Response {
    if !is_coded(&response) {
        return response;
    }
    if accepted.is_empty() {
        response.headers_mut().append(VARY, HeaderValue::from(ACCEPT_ENCODING));
        return response;
    }
    let mut request = Request::new(());
    request.headers_mut().extend(accepted.into_iter().map(|value| (ACCEPT_ENCODING, value)));
    let mut ready = Some(response);
    let reply = service_fn(move |_| future::ready(Ok::<_, Infallible>(ready.take().unwrap_or_default())));
    let always = |_: StatusCode, _: Version, _: &HeaderMap, _: &Extensions| true;
    match CompressionLayer::new().compress_when(always).layer(reply).oneshot(request).await {
        Ok(coded) => tag(coded.map(Body::new)),
        Err(never) => match never {},
    }
}

fn is_coded(response: &Response) -> bool {
    let media_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    media_type.is_some_and(|media_type| CODED.iter().any(|coded| coded.as_bytes() == media_type))
        && response.body().size_hint().lower() >= LEAST_BYTES
}

/// The reply with an `ETag` of its coding.
fn tag(mut response: Response) -> Response {
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
