//! The W3C trace context at the edges: HTTP headers in and out, a string beside an event.

use http::{HeaderMap, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::TraceContextExt,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use std::collections::HashMap;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(key), HeaderValue::from_str(&value)) {
            self.0.insert(name, value);
        }
    }
}

/// Makes the sender's span the parent of `span`.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    // Without the header the span stays the root of a trace of its own.
    if headers.contains_key("traceparent") {
        let parent = TraceContextPropagator::new().extract(&Headers(headers));
        if let Err(error) = span.set_parent(parent) {
            tracing::debug!(%error, "the trace of the caller is not continued");
        }
    }
}

/// Writes the current span into the headers of a call.
pub fn inject_trace(headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut HeadersMut(headers));
}

/// The current span as a `traceparent` value, when there is a trace.
pub fn traceparent() -> Option<String> {
    let context: Context = Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.remove("traceparent")
}

/// The id of the trace that `span` is in, when there is one.
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let found = context.span().span_context().clone();
    found.is_valid().then(|| found.trace_id().to_string())
}

/// Links `span` to the span that a stored `traceparent` names.
pub fn link_trace(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    span.add_link(context.span().span_context().clone());
}
