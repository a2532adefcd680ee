//! The access log: one line for each request, when all of its reply is out. A stream is told when it ends.
//!
//! A line has no path, query, header, token or body, and of the caller's address the network alone. `COMPTOIR_LOG` turns it
//! off with `info,access=off`.

use crate::client::{self, TrustedProxies};
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::{Method, StatusCode, request::Parts};
use hyper::body::{Frame, SizeHint};
use ipnet::IpNet;
use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};
use tracing::Span;

/// The status of a request whose caller went away before there was a reply; nginx has made it known.
const CALLER_GONE: u16 = 499;

/// The template of the path of a request, once it is known: an extension of the request.
#[derive(Clone, Default)]
pub(crate) struct Template(Arc<OnceLock<String>>);

impl Template {
    pub(crate) fn note(&self, template: &str) {
        self.0.get_or_init(|| template.to_owned());
    }
}

/// What one line tells. The line is written when the entry is dropped: with the end of the reply's body, or with the
/// request of a caller who has gone.
pub(crate) struct Entry {
    begin: Instant,
    method: Method,
    template: Template,
    request_id: String,
    network: IpNet,
    span: Option<Span>,
    trace_id: Option<String>,
    status: Option<StatusCode>,
    received_bytes: Arc<AtomicU64>,
    sent_bytes: u64,
}

impl Entry {
    pub(crate) fn new(proxies: &TrustedProxies, request: &Parts, request_id: &str, span: Span) -> Self {
        Self {
            begin: Instant::now(),
            method: request.method.clone(),
            template: Template::default(),
            request_id: request_id.to_owned(),
            network: client::network(proxies, request),
            span: Some(span),
            trace_id: None,
            status: None,
            received_bytes: Arc::default(),
            sent_bytes: 0,
        }
    }

    /// Where the template of the path is noted.
    pub(crate) fn template(&self) -> Template {
        self.template.clone()
    }

    /// Counts the bytes of the request's body.
    pub(crate) fn count_received(&self) -> impl FnMut(u64) + Send + Unpin + 'static {
        let count = self.received_bytes.clone();
        move |bytes| {
            count.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Counts the bytes of the body of the reply that has begun; the line is written with its end.
    pub(crate) fn count_sent(mut self, status: StatusCode) -> impl FnMut(u64) + Send + Unpin + 'static {
        self.status = Some(status);
        // The span ends with the handling of the request; it must not be kept for as long as a stream goes on.
        self.trace_id = self.span.take().as_ref().and_then(telemetry::trace_id);
        move |bytes| self.add_sent(bytes)
    }

    /// A method of its own: a closure that only changed the field would keep a copy of it, and not the entry.
    fn add_sent(&mut self, bytes: u64) {
        self.sent_bytes += bytes;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let template = self.template.0.get().map(String::as_str);
        let status = self.status.map_or(CALLER_GONE, |status| status.as_u16());
        // Probes come every few seconds: that all is well would be most of the log.
        if matches!(template, Some("/healthz" | "/readyz")) && status == 200 {
            return;
        }
        let trace_id = self.trace_id.take().or_else(|| self.span.as_ref().and_then(telemetry::trace_id));
        tracing::info!(
            target: "access",
            parent: None,
            method = %self.method,
            route = template,
            status,
            bytes_in = self.received_bytes.load(Ordering::Relaxed),
            bytes_out = self.sent_bytes,
            duration_ms = self.begin.elapsed().as_micros() as f64 / 1000.0,
            request_id = self.request_id,
            trace_id,
            client_network = %self.network,
            "request"
        );
    }
}

/// A body whose bytes are counted as they pass.
pub(crate) struct Counted<F> {
    body: Body,
    count: F,
}

impl<F: FnMut(u64) + Send + Unpin + 'static> Counted<F> {
    pub(crate) fn body(body: Body, count: F) -> Body {
        Body::new(Self { body, count })
    }
}

impl<F: FnMut(u64) + Unpin> HttpBody for Counted<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            (self.count)(data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
