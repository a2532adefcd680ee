//! Streams: messages in envelopes both ways; the last one of a reply tells how the call ended.

use super::{
    codec::{Codec, timeout, unfit, version},
    envelope::{END, Reader, wrap},
    error,
};
use crate::{
    admission,
    call::{self, Call, outside},
    error::Failure,
    state::Gateway,
    uplink::{self, Broken},
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream::unfold;
use http::{HeaderMap, HeaderValue, Request, header::CONTENT_TYPE, request::Parts};
use std::{convert::Infallible, sync::Arc};
use tonic::Streaming;
use transcode::Rpc;

const JSON: HeaderValue = HeaderValue::from_static("application/connect+json");
const PROTO: HeaderValue = HeaderValue::from_static("application/connect+proto");

/// A stream on its way out.
struct Outgoing {
    gateway: Arc<Gateway>,
    rpc: Arc<Rpc>,
    codec: Codec,
    messages: Streaming<Bytes>,
    broken: Broken,
    is_over: bool,
}

pub(crate) async fn stream(
    gateway: &Arc<Gateway>,
    rpc: &Arc<Rpc>,
    request: Request<Body>,
    id: &HeaderValue,
) -> Response {
    let (parts, body) = request.into_parts();
    let codec = Codec::of(&parts.headers);
    let mut response = match admission::admit(gateway, rpc, &parts).await {
        Ok(admission) => {
            let forward = call::headers(gateway, &parts.headers, id, admission.authorization.clone());
            let started = start(gateway, rpc, parts, body, (codec, forward)).await;
            admission.end(Response::new(match started {
                Ok(outgoing) => Body::from_stream(unfold(outgoing, Outgoing::next)),
                Err(failure) => failed(gateway, &failure),
            }))
        }
        Err(failure) => {
            let mut response = Response::new(failed(gateway, &failure));
            response.headers_mut().extend(failure.headers);
            response
        }
    };
    response.headers_mut().insert(CONTENT_TYPE, if codec == Codec::Proto { PROTO } else { JSON });
    response
}

/// Also a call that fails at once answers 200, with an end alone.
fn failed(gateway: &Gateway, failure: &Failure) -> Body {
    Body::from(end(gateway, Some(failure)))
}

/// The last message of a stream.
fn end(gateway: &Gateway, failure: Option<&Failure>) -> Bytes {
    let error = failure.map(|failure| error::json(&gateway.router, &failure.status));
    let end = match error {
        Some(error) => serde_json::json!({"error": error}),
        None => serde_json::json!({}),
    };
    wrap(END, end.to_string().as_bytes())
}

async fn start(
    gateway: &Arc<Gateway>,
    rpc: &Arc<Rpc>,
    parts: Parts,
    body: Body,
    (codec, forward): (Codec, HeaderMap),
) -> Result<Outgoing, Failure> {
    let headers = &parts.headers;
    if !rpc.server_streaming && !rpc.client_streaming {
        return Err(unfit("this method does not stream: its content type is application/json or application/proto"));
    }
    version(headers.get("connect-protocol-version").map(|value| value.to_str().unwrap_or_default()))?;
    uncompressed(headers)?;
    let reader = Reader::new(body, gateway.body_limit_bytes);
    let (messages, mut broken) = uplink::sent(Box::pin(incoming(gateway.clone(), rpc.clone(), codec, reader)));
    let call = Call {
        rpc,
        upstream: call::upstream(gateway, rpc)?,
        message: messages,
        headers: forward,
        timeout: timeout(headers)?.map_or(gateway.deadline, |timeout| timeout.min(gateway.deadline)),
    };
    let replies = broken.or(call.streams()).await?.map_err(|status| codec.spelled(&gateway.router, rpc, status))?;
    let messages = replies.messages;
    Ok(Outgoing { gateway: gateway.clone(), rpc: rpc.clone(), codec, messages, broken, is_over: false })
}

fn uncompressed(headers: &HeaderMap) -> Result<(), Failure> {
    match headers.get("connect-content-encoding").map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(()),
        Some(_) => Err(unfit("messages must not be compressed")),
    }
}

/// The messages of the caller, or what is wrong with the next one.
fn incoming(
    gateway: Arc<Gateway>,
    rpc: Arc<Rpc>,
    codec: Codec,
    reader: Reader,
) -> impl futures::Stream<Item = Result<Bytes, Failure>> + Send {
    unfold((reader, 0), move |(mut reader, count)| {
        let (gateway, rpc) = (gateway.clone(), rpc.clone());
        async move {
            let read = reader.next().await.and_then(|message| match message {
                None if count == 0 && !rpc.client_streaming => Err(unfit("this method takes one message")),
                Some(_) if count > 0 && !rpc.client_streaming => Err(unfit("this method takes one message")),
                Some(message) => codec.read(&gateway.router, &rpc, message).and_then(call::bounded).map(Some),
                None => Ok(None),
            });
            read.transpose().map(|read| (read, (reader, count + 1)))
        }
    })
}

impl Outgoing {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.is_over {
            return None;
        }
        let stop = self.gateway.stop.clone();
        let read = tokio::select! {
            // The shutdown first: a stream whose next message is always there would never look at it.
            biased;
            () = stop.cancelled() => {
                let message = "the gateway is shutting down; call again";
                Err(rpc::status::unavailable("SHUTTING_DOWN", message).into())
            }
            read = self.broken.or(self.messages.message()) => {
                read.and_then(|message| message.map_err(|status| outside(status, &self.rpc.full_name).into()))
            }
        };
        let written = read.and_then(|message| {
            message.map(|message| self.codec.write(&self.gateway.router, &self.rpc, message)).transpose()
        });
        let chunk = match written {
            Ok(Some(message)) => wrap(0, &message),
            ended => {
                self.is_over = true;
                end(&self.gateway, ended.err().as_ref())
            }
        };
        Some((Ok(chunk), self))
    }
}
