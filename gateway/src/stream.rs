//! Replies that go on: one message after the other as NDJSON or server-sent events, each sent at once.
//!
//! Silence ends with a blank line or a comment before a proxy takes it for death. An event has the digest of its state as
//! its id: a browser that comes back names the last one, and is not told the same state again. The last id of a watch
//! that has ended says so, and whoever comes back with it gets 204, at which browsers stop.

use crate::{call::outside, error::Failure, reply, state::Gateway, uplink::Broken};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream::unfold;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, TRAILER},
    request::Parts,
};
use http_body::Frame;
use http_body_util::StreamBody;
use sha2::{Digest, Sha256};
use std::{convert::Infallible, fmt::Write as _, sync::Arc};
use tonic::{Code, Streaming};
use transcode::Route;

/// How long a browser waits before it comes back, in milliseconds: first line of an event stream.
const RETRY: &[u8] = b"retry: 3000\n\n";

/// What an event stream's last id begins with once the watch has ended; the path follows.
const ENDED: &str = "ended:";

/// Bytes of a digest in the id of an event: with 64 bits, two states of one order never have one id by chance.
const ID_BYTES: usize = 8;

const LAST_EVENT_ID: &str = "last-event-id";

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// One JSON value a line; an error is a last line `{"error": {…}}`. The status is in the trailer `grpc-status` too.
    Lines,
    /// `text/event-stream`; the last event is called `end`, or `error`.
    Events,
}

/// A stream on its way out. Dropping it, when the caller is gone, ends the call.
struct Outgoing {
    gateway: Arc<Gateway>,
    route: Arc<Route>,
    messages: Streaming<Bytes>,
    broken: Broken,
    format: Format,
    path: String,
    /// The event that the caller has seen last, until the first one is here.
    seen: Option<String>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has been sent.
    Begin,
    /// Messages follow.
    Open,
    /// The status follows, of lines: it is a trailer.
    Status(Code),
    /// Nothing follows.
    End,
}

/// The reply to a browser that comes back although the watch at this path has ended: 204, which ends its coming back.
pub(crate) fn ended(request: &Parts) -> Option<Response> {
    let seen = last_event_id(&request.headers)?;
    let is_ended = request.method == Method::GET && seen.strip_prefix(ENDED) == Some(request.uri.path());
    (is_ended && format(&request.headers) == Format::Events).then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    })
}

fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok())
}

/// The reply for a stream of messages. It ends with the messages, with the connection, or with the shutdown.
pub(crate) fn reply(
    gateway: Arc<Gateway>,
    route: Arc<Route>,
    (messages, broken): (Streaming<Bytes>, Broken),
    request: &Parts,
) -> Response {
    let format = format(&request.headers);
    let (path, stage) = (request.uri.path().to_owned(), Stage::Begin);
    let seen = last_event_id(&request.headers).map(str::to_owned);
    let outgoing = Outgoing { gateway, route, messages, broken, format, path, seen, stage };
    let mut response = Response::new(Body::new(StreamBody::new(unfold(outgoing, Outgoing::next))));
    let content_type = match format {
        Format::Lines => "application/x-ndjson",
        Format::Events => "text/event-stream",
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx, and the ingress that is made of it, would hold messages back until a buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    if format == Format::Lines {
        headers.insert(TRAILER, HeaderValue::from_static("grpc-status"));
    }
    response
}

fn format(headers: &HeaderMap) -> Format {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepted.any(|value| value.contains("text/event-stream")) { Format::Events } else { Format::Lines }
}

impl Outgoing {
    async fn next(mut self) -> Option<(Result<Frame<Bytes>, Infallible>, Self)> {
        let frame = match (self.stage, self.format) {
            (Stage::End, _) | (Stage::Status(_), Format::Events) => return None,
            (Stage::Status(code), Format::Lines) => {
                self.stage = Stage::End;
                Frame::trailers(HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from(i32::from(code)))]))
            }
            (Stage::Begin, Format::Events) => Frame::data(Bytes::from_static(RETRY)),
            (Stage::Begin, Format::Lines) | (Stage::Open, _) => Frame::data(self.chunk().await),
        };
        if self.stage == Stage::Begin {
            self.stage = Stage::Open;
        }
        Some((Ok(frame), self))
    }

    async fn chunk(&mut self) -> Bytes {
        let stop = self.gateway.stop.clone();
        loop {
            let read = tokio::select! {
                // The shutdown first: a stream whose next message is always there would never look at it.
                biased;
                () = stop.cancelled() => {
                    let message = "the gateway is shutting down; watch again";
                    return self.error(rpc::status::unavailable("SHUTTING_DOWN", message).into());
                }
                read = self.broken.or(self.messages.message()) => read,
                () = tokio::time::sleep(self.gateway.stream_keep_alive) => return self.keep_alive(),
            };
            match read {
                Ok(Ok(Some(message))) => match self.message(&message) {
                    Some(chunk) => return chunk,
                    None => continue,
                },
                Ok(Ok(None)) => return self.end(),
                Ok(Err(status)) => return self.error(outside(status, &self.route.rpc.full_name).into()),
                Err(failure) => return self.error(failure),
            }
        }
    }

    /// The message; none when the caller has just seen it, before the connection broke.
    fn message(&mut self, message: &[u8]) -> Option<Bytes> {
        let json = match self.route.response(message) {
            Ok(json) => json,
            Err(error) => return Some(self.error(error.into())),
        };
        if self.format == Format::Lines {
            return Some(frame("", &json, "\n"));
        }
        let id = id(message);
        let is_seen = self.seen.take().is_some_and(|seen| seen == id);
        (!is_seen).then(|| frame(&format!("id: {id}\ndata: "), &json, "\n\n"))
    }

    /// A blank line, or a comment: what readers pass over.
    fn keep_alive(&self) -> Bytes {
        match self.format {
            Format::Lines => Bytes::from_static(b"\n"),
            Format::Events => Bytes::from_static(b": still here\n\n"),
        }
    }

    /// The last event tells that the stream has ended well; its id is what a browser names when it comes back.
    fn end(&mut self) -> Bytes {
        self.stage = Stage::Status(Code::Ok);
        match self.format {
            Format::Lines => Bytes::new(),
            Format::Events => format!("event: end\nid: {ENDED}{}\ndata: {{}}\n\n", self.path).into(),
        }
    }

    fn error(&mut self, failure: Failure) -> Bytes {
        self.stage = Stage::Status(failure.status.code());
        let status = reply::status(&self.gateway.router, &failure).to_string();
        match self.format {
            Format::Lines => frame("{\"error\":", status.as_bytes(), "}\n"),
            Format::Events => frame("event: error\ndata: ", status.as_bytes(), "\n\n"),
        }
    }
}

/// The id of a message: a digest, so that the same state has the same id on every connection.
fn id(message: &[u8]) -> String {
    Sha256::digest(message).iter().take(ID_BYTES).fold(String::new(), |mut id, byte| {
        write!(id, "{byte:02x}").expect("a string takes what is written");
        id
    })
}

fn frame(before: &str, json: &[u8], after: &str) -> Bytes {
    [before.as_bytes(), json, after.as_bytes()].concat().into()
}
