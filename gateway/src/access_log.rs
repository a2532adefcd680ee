//! The access log: one line for each request, when all of its reply is out. A stream is told when it ends.
//!
//! A line has no path, query, header, token or body, and of the caller's address the network alone. `COMPTOIR_LOG` turns it
//! off with `info,access=off`.

use crate::client::{self, TrustedProxies};
use axum::body::HttpBody;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, request::Parts};
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

/// What a request adds to its line while it is handled: an extension of it.
#[derive(Clone, Default)]
pub(crate) struct Noted(Arc<Notes>);

#[derive(Default)]
struct Notes {
    template: OnceLock<String>,
    received_bytes: AtomicU64,
}

impl Noted {
    /// Notes the template of the path. The first one counts.
    pub(crate) fn template(&self, template: &str) {
        self.0.template.get_or_init(|| template.to_owned());
    }
}

/// What one line tells. The line is written when the entry is dropped: with the end of the reply's body, or with the
/// request of a caller who has gone.
pub(crate) struct Entry {
    begin: Instant,
    method: Method,
    noted: Noted,
    request_id: HeaderValue,
    network: IpNet,
    span: Option<Span>,
    trace_id: Option<String>,
    status: Option<StatusCode>,
    sent_bytes: u64,
}

impl Entry {
    /// The line of a request; none when the log is off.
    pub(crate) fn new(proxies: &TrustedProxies, request: &Parts, id: &HeaderValue, span: &Span) -> Option<Self> {
        tracing::enabled!(target: "access", tracing::Level::INFO).then(|| Self {
            begin: Instant::now(),
            method: request.method.clone(),
            noted: Noted::default(),
            request_id: id.clone(),
            network: client::network(proxies, request),
            span: Some(span.clone()),
            trace_id: None,
            status: None,
            sent_bytes: 0,
        })
    }

    /// Where the handling of the request notes what it finds.
    pub(crate) fn noted(&self) -> Noted {
        self.noted.clone()
    }

    /// The entry of a request whose reply has begun.
    pub(crate) fn replied(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        // The span ends with the handling of the request; it must not be kept for as long as a stream goes on.
        self.trace_id = self.span.take().as_ref().and_then(telemetry::trace_id);
        self
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let template = self.noted.0.template.get().map(String::as_str);
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
            bytes_in = self.noted.0.received_bytes.load(Ordering::Relaxed),
            bytes_out = self.sent_bytes,
            duration_ms = self.begin.elapsed().as_micros() as f64 / 1000.0,
            request_id = self.request_id.to_str().unwrap_or_default(),
            trace_id,
            client_network = %self.network,
            "request"
        );
    }
}

/// Who counts the bytes of a body.
pub(crate) trait Count: Unpin {
    fn add(&mut self, bytes: u64);
}

/// The bytes of a request.
impl Count for Noted {
    fn add(&mut self, bytes: u64) {
        self.0.received_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The bytes of a reply, when they are counted. The line is written when all of them are out.
impl Count for Option<Entry> {
    fn add(&mut self, bytes: u64) {
        if let Some(entry) = self {
            entry.sent_bytes += bytes;
        }
    }
}

/// A body whose bytes are counted as they pass.
pub(crate) struct Counted<B, C> {
    pub body: B,
    pub count: C,
}

impl<B: HttpBody<Data = Bytes> + Unpin, C: Count> HttpBody for Counted<B, C> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.count.add(data.len() as u64);
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
