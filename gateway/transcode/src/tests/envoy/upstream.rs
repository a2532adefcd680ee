//! A gRPC server that keeps what it is sent, and answers with what the caller has ready.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    collections::HashMap,
    convert::Infallible,
    path::Path,
    sync::{Arc, Mutex},
};
use tokio::net::UnixListener;

/// The header that tells calls apart.
pub(super) const CALL: &str = "x-call";

/// A message has a byte of flags and four of length in front.
const HEAD_BYTES: usize = 5;

/// The calls that are under way.
#[derive(Clone, Default)]
pub(super) struct Calls(Arc<Mutex<HashMap<String, Call>>>);

struct Call {
    reply: Vec<u8>,
    request: Option<Bytes>,
}

impl Calls {
    /// Serves on a socket.
    pub(super) fn serve(self, socket: &Path) {
        let listener = UnixListener::bind(socket).expect("the socket is free");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let calls = self.clone();
                let answer = service_fn(move |request| {
                    let calls = calls.clone();
                    async move { Ok::<_, Infallible>(calls.answer(request).await) }
                });
                // Envoy takes calls back whose JSON it refuses: a server in the open would take that for an attack.
                let mut server = http2::Builder::new(TokioExecutor::new());
                server.max_pending_accept_reset_streams(usize::MAX).max_local_error_reset_streams(None);
                tokio::spawn(server.serve_connection(TokioIo::new(stream), answer));
            }
        });
    }

    pub(super) fn begin(&self, id: &str, reply: &[u8]) {
        let call = Call { reply: reply.to_vec(), request: None };
        self.0.lock().expect("nobody panics with it").insert(id.to_owned(), call);
    }

    /// The message that was sent, if one was.
    pub(super) fn end(&self, id: &str) -> Option<Bytes> {
        self.0.lock().expect("nobody panics with it").remove(id).and_then(|call| call.request)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Reply> {
        let (parts, body) = request.into_parts();
        let sent = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let message = sent.split_at_checked(HEAD_BYTES);
        let id = parts.headers.get(CALL).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let mut calls = self.0.lock().expect("nobody panics with it");
        // A call without a message is one that Envoy has refused already.
        let (Some((_, message)), Some(call)) = (message, calls.get_mut(id)) else { return reply(Vec::new()) };
        call.request = Some(Bytes::copy_from_slice(message));
        let length = u32::try_from(call.reply.len()).expect("a small message").to_be_bytes();
        let framed = Bytes::from([&[0], length.as_slice(), &call.reply].concat());
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        reply(vec![Frame::data(framed), Frame::trailers(trailers)])
    }
}

type Reply = StreamBody<futures::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

fn reply(frames: Vec<Frame<Bytes>>) -> Response<Reply> {
    let frames: Vec<_> = frames.into_iter().map(Ok).collect();
    let mut response = Response::new(StreamBody::new(futures::stream::iter(frames)));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}
