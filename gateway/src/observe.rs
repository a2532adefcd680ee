//! What is kept of each request: its id, its span in the trace, and its line of the access log.

use crate::{
    access_log::{Counted, Entry, Template},
    state::Gateway,
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{Extensions, HeaderMap, HeaderValue, request::Parts};
use std::sync::Arc;
use tracing::{Instrument, Span, field::Empty};
use transcode::{Route, Rpc};

const REQUEST_ID: &str = "x-request-id";

/// The id of a request: an extension of it.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub HeaderValue);

/// The layer around all others.
pub(crate) async fn answer(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let id_text = id.to_str().unwrap_or_default();
    let span = tracing::info_span!(
        "http",
        otel.name = Empty,
        otel.kind = "server",
        http.request.method = %request.method(),
        http.route = Empty,
        http.response.status_code = Empty,
        request_id = id_text,
    );
    telemetry::continue_trace(&span, request.headers());
    let (mut parts, body) = request.into_parts();
    let entry = Entry::new(&gateway.trusted_proxies, &parts, id_text, span.clone());
    parts.extensions.insert(RequestId(id.clone()));
    parts.extensions.insert(entry.template());
    let request = Request::from_parts(parts, Counted::body(body, entry.count_received()));
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    response.headers_mut().insert(REQUEST_ID, id);
    response.map(|body| Counted::body(body, entry.count_sent(status)))
}

/// Notes which route a request has.
pub(crate) fn found(request: &Parts, route: &Route) {
    let span = Span::current();
    span.record("http.route", &route.template);
    span.record("otel.name", format!("{} {}", route.method, route.template));
    template(request, &route.template);
}

/// Notes which RPC a request calls by its name.
pub(crate) fn called(extensions: &Extensions, rpc: &Rpc) {
    let span = Span::current();
    span.record("http.route", &rpc.path);
    span.record("otel.name", &rpc.path);
    if let Some(noted) = extensions.get::<Template>() {
        noted.note(&rpc.path);
    }
}

/// Notes the template of a path, also of one that no contract binds.
pub(crate) fn template(request: &Parts, template: &str) {
    if let Some(noted) = request.extensions.get::<Template>() {
        noted.note(template);
    }
}

/// The caller's request id when it is 1 to 128 letters, digits, `.`, `_` or `-`; a new one otherwise.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=128).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    let fresh = || HeaderValue::from_str(&uuid::Uuid::now_v7().to_string());
    headers.get(REQUEST_ID).filter(sane).cloned().map_or_else(fresh, Ok).unwrap_or(HeaderValue::from_static("unknown"))
}
