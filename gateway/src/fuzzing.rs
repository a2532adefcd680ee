//! A door for `make fuzz`: bodies in pieces through what takes them apart, without a gateway around it.

use crate::{connect::Reader, named};
use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::convert::Infallible;
use tonic::Code;

fn body(pieces: Vec<Bytes>) -> Body {
    Body::new(StreamBody::new(stream::iter(pieces.into_iter().map(|piece| Ok::<_, Infallible>(Frame::data(piece))))))
}

/// The messages of a Connect stream, and the reason that ended it early.
pub async fn connect_messages(pieces: Vec<Bytes>, limit_bytes: usize) -> (Vec<Bytes>, Option<String>) {
    let mut reader = Reader::new(body(pieces), limit_bytes);
    let mut messages = Vec::new();
    loop {
        match reader.next().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(failure) => return (messages, Some(rpc::status::reason(&failure.status))),
        }
    }
}

/// What a service hears of a body of gRPC-Web, none when that breaks off, and what the caller is told when the service answers
/// with what it heard: a body, or the code of a refusal.
pub async fn grpc_web(is_text: bool, pieces: Vec<Bytes>) -> (Option<Bytes>, Result<Bytes, Code>) {
    let mut request = Request::new(body(pieces));
    *request.method_mut() = Method::POST;
    let media_type = if is_text { "application/grpc-web-text" } else { "application/grpc-web" };
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    request.headers_mut().insert(http::header::ACCEPT, HeaderValue::from_static(media_type));
    let mut heard = None;
    let response = named::in_web(request, async |request| {
        let collected = request.into_body().collect().await;
        heard = collected.ok().map(http_body_util::Collected::to_bytes);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let frames = [Frame::data(heard.clone().unwrap_or_default()), Frame::trailers(trailers)];
        let frames = frames.map(Ok::<_, tonic::Status>);
        Response::new(Body::new(StreamBody::new(stream::iter(frames))))
    });
    let response = response.await;
    if let Some(code) = response.headers().get("grpc-status") {
        let refused = Err(Code::from_bytes(code.as_bytes()));
        return (heard, refused);
    }
    let told = response.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    (heard, Ok(told.unwrap_or_default()))
}
