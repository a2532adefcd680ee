//! The gRPC call, with bytes in and bytes out.

use crate::{
    error::Failure,
    exchange::{self, REPLY_LIMIT_BYTES, too_large},
    state::Gateway,
    upstream::Upstream,
};
use bytes::{Buf, BufMut, Bytes};
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, uri::PathAndQuery};
use http_body_util::BodyExt;
use rpc::tls::refused_certificate;
use std::{error::Error as _, pin::pin, time::Duration};
use tokio::{sync::watch, time::Instant};
use tonic::{
    Code, Request, Status, Streaming,
    body::Body,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
};
use tower::service_fn;
use transcode::Rpc;

/// A message on its way to an upstream.
pub(crate) struct Call<'a, M = Bytes> {
    pub rpc: &'a Rpc,
    pub upstream: &'a Upstream,
    /// The message; of a stream of requests, the messages.
    pub message: M,
    /// Becomes the metadata.
    pub headers: HeaderMap,
    /// For the reply; of a stream, for its start.
    pub timeout: Duration,
}

/// What a call was answered.
pub(crate) struct Answer {
    pub message: Bytes,
    /// The metadata that the contract lets callers over HTTP have.
    pub headers: HeaderMap,
}

/// The metadata of a reply that the contract of `rpc` names for callers over HTTP. Nothing else of it leaves the house.
fn named(rpc: &Rpc, metadata: &HeaderMap) -> HeaderMap {
    let names = rpc.access.reply_headers.iter().filter_map(|name| HeaderName::try_from(name).ok());
    names.filter_map(|name| metadata.get(&name).map(|value| (name.clone(), value.clone()))).collect()
}

/// What goes along with a call: trace, request id, the verified token, and what the configuration names. Nothing else of the
/// request does.
pub(crate) fn headers(
    gateway: &Gateway,
    incoming: &HeaderMap,
    id: &HeaderValue,
    authorization: Option<HeaderValue>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in ["traceparent", "tracestate"] {
        if let Some(value) = incoming.get(name) {
            headers.insert(name, value.clone());
        }
    }
    telemetry::inject_trace(&mut headers);
    headers.insert("x-request-id", id.clone());
    if let Some(authorization) = authorization {
        headers.insert(http::header::AUTHORIZATION, authorization);
    }
    for name in &gateway.forwarded_headers {
        for value in incoming.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// The message of a call. What no service takes is refused here, so that a status about sizes is never about the request.
pub(crate) fn bounded(message: Bytes) -> Result<Bytes, Failure> {
    if message.len() <= rpc::server::MESSAGE_BYTES {
        return Ok(message);
    }
    let text = format!("the request is larger than {} bytes", rpc::server::MESSAGE_BYTES);
    let status = rpc::status::error(Code::InvalidArgument, "BODY_TOO_LARGE", text);
    Err(Failure::with_http(StatusCode::PAYLOAD_TOO_LARGE, status))
}

/// The upstream of the service of `rpc`.
pub(crate) fn upstream<'g>(gateway: &'g Gateway, rpc: &Rpc) -> Result<&'g Upstream, Failure> {
    gateway.upstreams.of(rpc).ok_or_else(|| {
        tracing::warn!(package = rpc.package, "a request for a package without an upstream");
        let status = rpc::status::unavailable("UPSTREAM_UNAVAILABLE", "the service behind this path is not deployed");
        Failure::with_http(StatusCode::SERVICE_UNAVAILABLE, status)
    })
}

impl Call<'_> {
    /// One message in, one out, before the time-out.
    pub(crate) async fn unary(self) -> Result<Answer, Status> {
        let until = Instant::now() + self.timeout;
        let request = exchange::request(self.path()?, self.headers, &self.message, self.timeout);
        let call = async {
            let response = self.upstream.call(self.rpc, request).await?;
            let headers = named(self.rpc, response.headers());
            Ok(Answer { message: exchange::reply(response, self.rpc).await?, headers })
        };
        // The upstream has the same deadline in a header and ends by itself; this timer is for one that does not
        // answer at all.
        let reply = tokio::time::timeout_at(until, call).await.map_err(|_| exceeded())?;
        reply.map_err(|status| outside(status, &self.rpc.full_name))
    }

    /// One message in, many out. The stream has no deadline, only its start has.
    pub(crate) async fn stream(self) -> Result<Streaming<Bytes>, Status> {
        let path = self.path()?;
        let service = service_fn(|request| self.upstream.call(self.rpc, request));
        let mut client = Grpc::new(service).max_decoding_message_size(REPLY_LIMIT_BYTES);
        let request =
            Request::from_parts(MetadataMap::from_headers(self.headers), Default::default(), Ok(self.message));
        let call = async { client.server_streaming(request, path, Raw).await.map(tonic::Response::into_inner) };
        let reply = tokio::time::timeout(self.timeout, call).await.map_err(|_| exceeded())?;
        reply.map_err(|status| outside(status, &self.rpc.full_name))
    }

    fn path(&self) -> Result<PathAndQuery, Status> {
        path(self.rpc)
    }
}

impl<M: Stream<Item = Result<Bytes, Status>> + Send + 'static> Call<'_, M> {
    /// Many messages in, many out. The time-out is that of the start of the reply, from the last message on: who sends for
    /// long may be answered at the end.
    pub(crate) async fn streams(self) -> Result<Replies, Status> {
        let path = path(self.rpc)?;
        let service = service_fn(|request: http::Request<Body>| {
            self.upstream.call(self.rpc, request.map(|body| self.upstream.messages(body)))
        });
        let mut client = Grpc::new(service).max_decoding_message_size(REPLY_LIMIT_BYTES);
        let (passed, last) = watch::channel(Instant::now());
        let messages = self.message.inspect(move |_| {
            passed.send_replace(Instant::now());
        });
        let request = Request::from_parts(MetadataMap::from_headers(self.headers), Default::default(), messages);
        let patience = Patience { last, timeout: self.timeout };
        let call = async { client.streaming(request, path, Raw).await.map(tonic::Response::into_inner) };
        let messages = patience.wait(call).await?.map_err(|status| outside(status, &self.rpc.full_name))?;
        Ok(Replies { messages, patience })
    }
}

/// The replies to a stream of requests.
pub(crate) struct Replies {
    pub messages: Streaming<Bytes>,
    pub patience: Patience,
}

/// How long a reply may take: a time from the last message of the caller on.
pub(crate) struct Patience {
    last: watch::Receiver<Instant>,
    timeout: Duration,
}

impl Patience {
    /// For the reply to a call whose messages are in `body`: counts from the last piece of it on.
    pub(crate) fn with(body: Body, timeout: Duration) -> (Body, Self) {
        let (passed, last) = watch::channel(Instant::now());
        let body = body.map_frame(move |frame| {
            passed.send_replace(Instant::now());
            frame
        });
        (Body::new(body), Patience { last, timeout })
    }

    pub(crate) async fn wait<T>(&self, reply: impl Future<Output = T>) -> Result<T, Status> {
        let mut reply = pin!(reply);
        loop {
            let until = *self.last.borrow() + self.timeout;
            tokio::select! {
                reply = &mut reply => return Ok(reply),
                () = tokio::time::sleep_until(until) => if *self.last.borrow() + self.timeout <= Instant::now() {
                    return Err(exceeded());
                },
            }
        }
    }
}

fn path(rpc: &Rpc) -> Result<PathAndQuery, Status> {
    PathAndQuery::try_from(rpc.path.as_str()).map_err(|error| {
        tracing::error!(%error, rpc = rpc.full_name, "the name of an RPC is not a path");
        rpc::status::internal()
    })
}

/// A status as it may leave the house. What the upstream said goes on; what was found out about the connection is logged and
/// becomes UNAVAILABLE.
pub(crate) fn outside(status: Status, rpc: &str) -> Status {
    let Some(cause) = status.source() else {
        return if is_about_size(&status) { too_large(rpc, status.message()) } else { status };
    };
    match refused_certificate(cause) {
        Some(why) => tracing::warn!(
            rpc,
            %why,
            "the certificate of an upstream is refused; COMPTOIR_UPSTREAM_CA (or --upstream-ca) names authorities of one's own"
        ),
        None => tracing::warn!(rpc, error = ?cause, "an upstream cannot be reached"),
    }
    rpc::status::unavailable("UPSTREAM_UNAVAILABLE", "the service behind this path cannot be reached now")
}

/// Whether gRPC itself refused a message, and no service: what services refuse has details. tonic says OUT_OF_RANGE,
/// others RESOURCE_EXHAUSTED.
fn is_about_size(status: &Status) -> bool {
    let is_larger = || status.message().contains("larg");
    status.details().is_empty()
        && (status.code() == Code::OutOfRange || (status.code() == Code::ResourceExhausted && is_larger()))
}

pub(crate) fn exceeded() -> Status {
    let message = "the deadline passed before the reply was there";
    rpc::status::error(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", message)
}

/// The codec that leaves messages as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Result<Bytes, Status>;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Result<Bytes, Status>;
    type Error = Status;

    /// An error ends the stream.
    fn encode(&mut self, item: Result<Bytes, Status>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item?);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
