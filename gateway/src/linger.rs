//! The body of a request over HTTP/1.1, the rest of which is read when nobody wants it any more.
//!
//! A connection that is closed while bytes of its peer are unread is reset, and the reset may overtake the reply: a caller that is
//! still sending would never learn why it was refused. HTTP/2 ends one stream and keeps the connection.

use crate::protocol;
use axum::body::HttpBody;
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::runtime::Handle;

/// What is read of it. A caller that sends on and on gets its connection closed after all.
const BYTES: usize = 8 << 20;
const TIME: Duration = Duration::from_secs(1);

pub(crate) struct Lingering {
    /// None once it has ended.
    body: Option<Incoming>,
    is_http1: bool,
    /// Whether the caller sends it without being told to continue.
    is_sent: bool,
}

impl Lingering {
    /// The body of a request.
    pub(crate) fn of(request: Request<Incoming>) -> Request<Self> {
        let is_http1 = request.version() <= Version::HTTP_11;
        let is_sent = !protocol::waits_for_continue(request.headers());
        request.map(|body| Self { body: Some(body), is_http1, is_sent })
    }
}

impl HttpBody for Lingering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        self.is_sent = true;
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if self.is_http1
            && self.is_sent
            && let Some(body) = self.body.take().filter(|body| !body.is_end_stream())
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(TIME, discard(body)));
        }
    }
}

async fn discard(mut body: Incoming) {
    let mut left = BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { break };
        left = rest;
    }
}
