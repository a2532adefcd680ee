//! What is kept of each request: its id, its span in the trace, and its line of the access log.

use crate::{
    access_log::{Counted, Entry, Noted},
    client::TrustedProxies,
    linger::Lingering,
};
use axum::body::Body;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response, request::Parts};
use hyper::body::{Body as _, Incoming};
use tracing::{Span, field::Empty};
use transcode::{Route, Rpc};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The body of a reply, whose bytes are counted when there is an access log.
pub(crate) type Replied = Counted<Body, Option<Entry>>;

/// A request under way.
pub(crate) struct Observed {
    pub id: HeaderValue,
    pub span: Span,
    entry: Option<Entry>,
}

impl Observed {
    /// Begins to observe a request, whose body is counted from now on.
    pub(crate) fn begin(proxies: &TrustedProxies, request: Request<Incoming>) -> (Self, Request<Body>) {
        let id = request_id(request.headers());
        let span = tracing::info_span!(
            "http",
            otel.name = Empty,
            otel.kind = "server",
            http.request.method = %request.method(),
            http.route = Empty,
            http.response.status_code = Empty,
            request_id = id.to_str().unwrap_or_default(),
        );
        telemetry::continue_trace(&span, request.headers());
        let (mut parts, body) = Lingering::of(request).into_parts();
        let entry = Entry::new(proxies, &parts, &id, &span);
        let noted = entry.as_ref().map(Entry::noted);
        let body = match &noted {
            _ if body.is_end_stream() => Body::empty(),
            Some(noted) => Body::new(Counted { body, count: noted.clone() }),
            None => Body::new(body),
        };
        if let Some(noted) = noted {
            parts.extensions.insert(noted);
        }
        (Observed { id, span, entry }, Request::from_parts(parts, body))
    }

    /// The reply, observed until its end.
    pub(crate) fn end(self, mut response: Response<Body>) -> Response<Replied> {
        let status = response.status();
        self.span.record("http.response.status_code", status.as_u16());
        response.headers_mut().insert(REQUEST_ID, self.id);
        let entry = self.entry.map(|entry| entry.replied(status));
        response.map(|body| Counted { body, count: entry })
    }
}

/// Notes which route a request has.
pub(crate) fn found(request: &Parts, route: &Route) {
    let span = Span::current();
    span.record("http.route", &route.template);
    if !span.is_disabled() {
        span.record("otel.name", format!("{} {}", route.method, route.template));
    }
    template(&request.extensions, &route.template);
}

/// Notes which RPC a request calls by its name.
pub(crate) fn called(extensions: &Extensions, rpc: &Rpc) {
    let span = Span::current();
    span.record("http.route", &rpc.path);
    span.record("otel.name", &rpc.path);
    template(extensions, &rpc.path);
}

/// Notes the template of a path, also of one that no contract binds.
pub(crate) fn template(extensions: &Extensions, template: &str) {
    if let Some(noted) = extensions.get::<Noted>() {
        noted.template(template);
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
