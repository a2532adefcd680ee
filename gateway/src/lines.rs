//! RPCs that take a stream of requests, at their paths: each line of the body is the JSON of one message (NDJSON), which the
//! path and the query fill like that of a single one.

use crate::{
    call::{self, Call, outside},
    coding, deadline,
    error::Failure,
    reply,
    state::Gateway,
    stream, uplink,
};
use axum::{body::Body, response::Response};
use bytes::{Bytes, BytesMut};
use futures::stream::unfold;
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH},
    request::Parts,
};
use http_body_util::BodyExt;
use std::{sync::Arc, time::Duration};
use tonic::{Code, Status, Streaming};
use transcode::Match;

/// What a body of lines may be called; it may also have no name.
const TYPES: [&str; 3] = ["application/x-ndjson", "application/jsonl", "application/json"];

/// Passes the lines of a body on as they come, and answers when the service does.
pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    found: Match,
    parts: Parts,
    body: Body,
    forward: HeaderMap,
) -> Result<Response, Failure> {
    let (route, requested) = (found.route.clone(), deadline::requested(&parts.headers)?);
    of_lines(&parts.headers)?;
    unconditional(&parts.headers)?;
    let reader = Reader { body, buffer: BytesMut::new(), limit_bytes: gateway.body_limit_bytes, count: 0 };
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let state = (gateway.clone(), found, query, reader);
    let messages = unfold(state, |(gateway, found, query, mut reader)| async move {
        let message = match reader.next().await {
            Ok(None) => return None,
            Ok(Some(line)) => message(&gateway, &found, &query, &line).map_err(|failure| reader.at(failure)),
            Err(failure) => Err(failure),
        };
        Some((message, (gateway, found, query, reader)))
    });
    let (messages, mut broken) = uplink::sent(Box::pin(messages));
    let timeout = deadline::effective(gateway.deadline, Duration::ZERO, requested);
    let upstream = call::upstream(gateway, &route.rpc)?;
    let call = Call { rpc: &route.rpc, upstream, message: messages, headers: forward, timeout };
    let refused = |status| rpc::status::renamed(status, |field| route.json_path(field));
    let mut replies = broken.or(call.streams()).await?.map_err(refused)?;
    if route.rpc.server_streaming {
        return Ok(stream::reply(gateway.clone(), route.clone(), (replies.messages, broken), &parts));
    }
    let message = broken.or(replies.patience.wait(only(&mut replies.messages))).await??;
    let message = message.map_err(|status| refused(outside(status, &route.rpc.full_name)))?;
    let message = message.ok_or_else(|| nothing(&route.rpc.full_name))?;
    Ok(reply::success(&route.rpc, route.reply(&message)?))
}

/// The one message of a reply, which its status follows.
async fn only(messages: &mut Streaming<Bytes>) -> Result<Option<Bytes>, Status> {
    let message = messages.message().await?;
    messages.message().await.map(|_| message)
}

/// Refuses a body that its headers call something else.
fn of_lines(headers: &HeaderMap) -> Result<(), Failure> {
    coding::request::of(headers)?.none()?;
    let Some(name) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = String::from_utf8_lossy(name.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if TYPES.contains(&essence.as_str()) {
        return Ok(());
    }
    Err(transcode::Error::MediaType(text.into_owned()).into())
}

/// Refuses a condition: a stream has no version that could be compared.
fn unconditional(headers: &HeaderMap) -> Result<(), Failure> {
    for name in [IF_MATCH, IF_NONE_MATCH] {
        if headers.contains_key(&name) {
            let message = "cannot be compared by this method; leave it out";
            return Err(rpc::status::violation(name.as_str(), message).into());
        }
    }
    Ok(())
}

fn message(gateway: &Gateway, found: &Match, query: &str, line: &[u8]) -> Result<Bytes, Failure> {
    let body = transcode::Body::Json(line);
    let ignored_parameters = &gateway.ignored_parameters;
    let request = found.request(transcode::Parts { query, ignored_parameters, body, ..Default::default() })?;
    call::bounded(request.message)
}

fn nothing(rpc: &str) -> Status {
    tracing::error!(rpc, "a service answers without a message");
    rpc::status::internal()
}

/// Takes lines out of a body.
struct Reader {
    body: Body,
    buffer: BytesMut,
    limit_bytes: usize,
    /// Messages so far.
    count: usize,
}

impl Reader {
    /// The next line that is not blank, without its end; none after the last one.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(searched + at + 1).freeze();
                searched = 0;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                self.count += 1;
                return self.bounded(line).map(Some);
            }
            searched = self.buffer.len();
            if searched > self.limit_bytes {
                return Err(too_long(self.limit_bytes));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                // The last line needs no end.
                None if self.buffer.trim_ascii().is_empty() => return Ok(None),
                None => {
                    self.count += 1;
                    let line = self.buffer.split().freeze();
                    return self.bounded(line).map(Some);
                }
                Some(Err(_)) => return Err(broke_off()),
            }
        }
    }

    fn bounded(&self, line: Bytes) -> Result<Bytes, Failure> {
        if line.len() > self.limit_bytes { Err(too_long(self.limit_bytes)) } else { Ok(line) }
    }

    /// A failure of the line that was read last, whose fields are those of an array: `[2].name`.
    fn at(&self, failure: Failure) -> Failure {
        let index = self.count.saturating_sub(1);
        let named = |field: &str| match field {
            "" => format!("[{index}]"),
            field => format!("[{index}].{field}"),
        };
        Failure { status: rpc::status::renamed(failure.status, named), ..failure }
    }
}

fn too_long(limit_bytes: usize) -> Failure {
    let message = format!("a line is longer than {limit_bytes} bytes");
    let status = rpc::status::error(Code::InvalidArgument, "BODY_TOO_LARGE", message);
    Failure::with_http(StatusCode::PAYLOAD_TOO_LARGE, status)
}

fn broke_off() -> Failure {
    rpc::status::error(Code::InvalidArgument, "BODY_INCOMPLETE", "the body broke off").into()
}
