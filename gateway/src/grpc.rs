//! gRPC through the gateway: messages pass as they are, both ways, with the trailers. Token, limits and deadline are those
//! of every call.

use crate::{
    admission,
    call::{self, Patience, exceeded, outside},
    cors, deadline,
    error::Failure,
    exchange::{self, HEAD_BYTES, REPLY_LIMIT_BYTES, too_large},
    state::Gateway,
    upstream::Held,
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream::unfold;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{CONTENT_TYPE, TE},
};
use http_body::Frame;
use http_body_util::{BodyExt, Collected, Limited, StreamBody};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use transcode::Rpc;

/// What of the caller's headers is about the messages.
const ABOUT_MESSAGES: [HeaderName; 3] =
    [CONTENT_TYPE, HeaderName::from_static("grpc-encoding"), HeaderName::from_static("grpc-accept-encoding")];

/// Passes a call on, or answers with a status.
pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    rpc: &Rpc,
    request: Request<tonic::body::Body>,
    id: &HeaderValue,
) -> Response {
    let passed = pass(gateway, rpc, request, id).await.map(|mut response| {
        cors::expose(rpc, &mut response);
        response
    });
    passed.unwrap_or_else(|failure| {
        let mut response = failure.status.into_http::<tonic::body::Body>().map(Body::new);
        response.headers_mut().extend(failure.headers);
        response
    })
}

async fn pass(
    gateway: &Arc<Gateway>,
    rpc: &Rpc,
    request: Request<tonic::body::Body>,
    id: &HeaderValue,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let admission = admission::admit(gateway, rpc, &parts).await?;
    let requested = deadline::requested(&parts.headers)?;
    let is_stream = rpc.server_streaming || rpc.client_streaming;
    let timeout = match requested {
        Some(requested) if is_stream => Some(requested),
        None if is_stream => None,
        requested => Some(deadline::effective(gateway.deadline, Duration::ZERO, requested)),
    };
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = Method::POST;
    *outgoing.uri_mut() = rpc.path.parse().map_err(|_| rpc::status::internal())?;
    *outgoing.headers_mut() =
        headers(&parts.headers, call::headers(gateway, &parts.headers, id, admission.authorization.clone()), timeout);
    let until = Instant::now() + timeout.unwrap_or(gateway.deadline);
    let response = called(gateway, rpc, outgoing, timeout).await?;
    // A call that fails at once has its status among the headers.
    if let Some(status) = exchange::status(response.headers()) {
        admission.note(gateway, &status.into());
    }
    // A unary call that has been answered is told so, also while the gateway shuts down.
    if !is_stream {
        let (parts, body) = response.into_parts();
        let body = timeout_at(until, whole(rpc, body)).await.map_err(|_| exceeded())??;
        return Ok(admission.end(Response::from_parts(parts, body)));
    }
    let gateway = gateway.clone();
    Ok(admission.end(response.map(|body| until_stop(gateway, body))))
}

/// The start of the reply. It must come in time, also of a stream, whose further deadline is the service's to keep. To a stream of
/// requests it may come at their end: the time counts from the last piece of them on.
async fn called(
    gateway: &Gateway,
    rpc: &Rpc,
    request: Request<tonic::body::Body>,
    timeout: Option<Duration>,
) -> Result<Response<Held>, Failure> {
    let upstream = call::upstream(gateway, rpc)?;
    let request = request.map(|body| upstream.messages(body));
    let start = timeout.map_or(gateway.deadline, |timeout| timeout.min(gateway.deadline));
    let answered = if rpc.client_streaming {
        let (parts, body) = request.into_parts();
        let (body, patience) = Patience::with(body, start);
        let answer = patience.wait(upstream.call(rpc, Request::from_parts(parts, body)));
        match timeout {
            Some(timeout) => tokio::time::timeout(timeout, answer).await.map_err(|_| exceeded())??,
            None => answer.await?,
        }
    } else {
        tokio::time::timeout(start, upstream.call(rpc, request)).await.map_err(|_| exceeded())?
    };
    Ok(answered.map_err(|status| outside(status, &rpc.full_name))?)
}

/// A reply of one message, read before any of it is sent: a caller who does not take it keeps no place of the upstream.
async fn whole(rpc: &Rpc, body: Held) -> Result<Collected<Bytes>, Status> {
    let read = Limited::new(body, HEAD_BYTES + REPLY_LIMIT_BYTES).collect().await;
    read.map_err(|error| match error.downcast::<Status>() {
        Ok(status) => outside(*status, &rpc.full_name),
        Err(error) => too_large(&rpc.full_name, &error.to_string()),
    })
}

fn headers(incoming: &HeaderMap, mut outgoing: HeaderMap, timeout: Option<Duration>) -> HeaderMap {
    for name in ABOUT_MESSAGES {
        if let Some(value) = incoming.get(&name) {
            outgoing.insert(name, value.clone());
        }
    }
    outgoing.insert(TE, HeaderValue::from_static("trailers"));
    if let Some(timeout) = timeout {
        outgoing.insert("grpc-timeout", exchange::grpc_timeout(timeout));
    }
    outgoing
}

/// The messages of a stream until the shutdown, which ends them with UNAVAILABLE: they would hold it up for ever.
fn until_stop(
    gateway: Arc<Gateway>,
    body: Held,
) -> StreamBody<impl futures::Stream<Item = Result<Frame<Bytes>, Status>>> {
    StreamBody::new(unfold(Some(body), move |body| {
        let stop = gateway.stop.clone();
        async move {
            let mut body = body?;
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    let mut trailers = HeaderMap::new();
                    let status = rpc::status::unavailable("SHUTTING_DOWN", "the gateway is shutting down; call again");
                    status.add_header(&mut trailers).ok()?;
                    Some((Ok(Frame::trailers(trailers)), None))
                }
                frame = body.frame() => frame.map(|frame| (frame, Some(body))),
            }
        }
    }))
}
