//! Replies that go on: one message after the other as NDJSON or server-sent events, each sent at once.

use crate::{call::outside, error::Failure, reply, server::Gateway};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream::unfold;
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tonic::Streaming;
use transcode::Route;

/// How long an event stream is silent at most: proxies close what is silent for longer.
const HEARTBEAT: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// One JSON value a line; an error is a last line `{"error": {…}}`.
    Lines,
    /// `text/event-stream`; an error is a last event called `error`.
    Events,
}

/// A stream on its way out. Dropping it, when the caller is gone, ends the call.
struct Outgoing {
    gateway: Arc<Gateway>,
    route: Arc<Route>,
    messages: Streaming<Bytes>,
    format: Format,
    ended: bool,
}

/// The reply for a stream of messages. It ends with the messages, with the connection, or with the shutdown.
pub(crate) fn reply(
    gateway: Arc<Gateway>,
    route: Arc<Route>,
    messages: Streaming<Bytes>,
    accept: &HeaderMap,
) -> Response {
    let format = format(accept);
    let outgoing = Outgoing { gateway, route, messages, format, ended: false };
    let mut response = Response::new(Body::from_stream(unfold(outgoing, Outgoing::next)));
    let content_type = match format {
        Format::Lines => "application/x-ndjson",
        Format::Events => "text/event-stream",
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn format(headers: &HeaderMap) -> Format {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepted.any(|value| value.contains("text/event-stream")) { Format::Events } else { Format::Lines }
}

impl Outgoing {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.ended {
            return None;
        }
        let stop = self.gateway.stop.clone();
        let chunk = tokio::select! {
            biased;
            () = stop.cancelled() => {
                let message = "the gateway is shutting down; watch again";
                self.error(rpc::status::unavailable("SHUTTING_DOWN", message).into())
            }
            message = self.messages.message() => match message {
                Ok(Some(message)) => self.message(&message),
                Ok(None) => return None,
                Err(status) => self.error(outside(status, &self.route.rpc.full_name).into()),
            },
            () = tokio::time::sleep(HEARTBEAT), if self.format == Format::Events => ": still here\n\n".into(),
        };
        Some((Ok(chunk), self))
    }

    fn message(&mut self, message: &[u8]) -> Bytes {
        match (self.route.response(message), self.format) {
            (Ok(json), Format::Lines) => frame("", &json, "\n"),
            (Ok(json), Format::Events) => frame("data: ", &json, "\n\n"),
            (Err(error), _) => self.error(error.into()),
        }
    }

    fn error(&mut self, failure: Failure) -> Bytes {
        self.ended = true;
        let status = reply::status(&self.gateway.router, &failure).to_string();
        match self.format {
            Format::Lines => frame("{\"error\":", status.as_bytes(), "}\n"),
            Format::Events => frame("event: error\ndata: ", status.as_bytes(), "\n\n"),
        }
    }
}

fn frame(before: &str, json: &[u8], after: &str) -> Bytes {
    [before.as_bytes(), json, after.as_bytes()].concat().into()
}
