//! Replies that end at once: JSON, tables, and failures as `google.rpc.Status` or in the form of RFC 6749.

use crate::{
    accept, condition, cors,
    error::{Failure, allow},
    problem::Told,
};
use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, RETRY_AFTER, VARY, WWW_AUTHENTICATE},
};
use serde_json::Value;
use tonic_types::StatusExt;
use transcode::{Router, Rpc, http_status, oauth_json};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The media type of tables (RFC 4180): their first line has the names of the columns.
pub(crate) const CSV: &str = "text/csv; charset=utf-8; header=present";
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Whether the caller likes the reply of this RPC to be a table.
pub(crate) fn wants_table(rpc: &Rpc, headers: &HeaderMap) -> bool {
    rpc.is_table() && accept::names(headers, "text/csv")
}

/// The reply of an RPC as a table.
pub(crate) fn table(csv: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(csv));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(CSV));
    response.headers_mut().insert(VARY, HeaderValue::from(ACCEPT));
    response
}

/// The reply of an RPC: 201 when it creates (AIP-133), 200 otherwise. Tokens are not to be stored (RFC 6749, 5.1), nor what
/// the caller sees by a header of the contract, of which caches know nothing.
pub(crate) fn success(rpc: &Rpc, reply: transcode::Reply) -> Response {
    let creates = rpc.name.strip_prefix("Create").is_some_and(|rest| rest.starts_with(char::is_uppercase));
    let mut response = json(if creates { StatusCode::CREATED } else { StatusCode::OK }, reply.json);
    if let Some(tag) = reply.etag.as_deref().and_then(condition::tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    if rpc.access.oauth2_errors || rpc.headers().next().is_some() {
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    }
    if rpc.is_table() {
        response.headers_mut().insert(VARY, HeaderValue::from(ACCEPT));
    }
    response
}

/// Adds to a reply the metadata that the contract of `rpc` lets callers have, and lets pages read it.
pub(crate) fn tell(rpc: &Rpc, metadata: HeaderMap, response: &mut Response) {
    response.headers_mut().extend(metadata);
    cors::expose(rpc, response);
}

/// The reply to HEAD: that to GET without its content, whose length is told where it is known.
pub(crate) fn without_content(mut response: Response) -> Response {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    response.map(|_| Body::empty())
}

/// The reply to OPTIONS: the methods that the path answers to.
pub(crate) fn options(methods: &[String]) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, allow(methods));
    response
}

/// The reply for a failure of a call to `rpc`, or of a request that is no call.
pub(crate) fn failure(router: &Router, failure: &Failure, rpc: Option<&Rpc>) -> Response {
    let status = &failure.status;
    let is_oauth = rpc.is_some_and(|rpc| rpc.access.oauth2_errors);
    let (http, body) =
        if is_oauth { oauth_json(status) } else { (http_status(status.code()), router.status_json(status)) };
    let http = self::http(failure, http);
    let mut response = json(http, body.to_string());
    annotate(response.headers_mut(), failure, http, rpc);
    if !is_oauth {
        response.extensions_mut().insert(Told(body));
    }
    response
}

/// The HTTP status of a failure: its own, or the one that its code maps to.
pub(crate) fn http(failure: &Failure, mapped: u16) -> StatusCode {
    let mapped = || StatusCode::from_u16(mapped).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    failure.http.unwrap_or_else(mapped)
}

/// The headers of a failure.
pub(crate) fn annotate(headers: &mut HeaderMap, failure: &Failure, http: StatusCode, rpc: Option<&Rpc>) {
    // Without it a cache may keep a 404 or 405 and answer later requests with it.
    headers.insert(CACHE_CONTROL, NO_STORE);
    if http == StatusCode::UNAUTHORIZED {
        let client = rpc.is_some_and(|rpc| rpc.access.oauth2_errors);
        let challenge = if client { "Basic realm=\"comptoir\"" } else { "Bearer" };
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    headers.extend(failure.headers.clone());
    if let Some(delay) = failure.status.get_details_retry_info().and_then(|info| info.retry_delay) {
        // Rounded up: a caller that comes back too early is refused once more.
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// One line of a stream: the status of a failure.
pub(crate) fn status(router: &Router, failure: &Failure) -> Value {
    router.status_json(&failure.status)
}
