//! One connection to Envoy, which is kept.

use super::{proxy::Envoy, upstream::CALL};
use crate::tests::echo;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::path::PathBuf;
use tokio::net::UnixStream;

pub(super) struct Caller<'e> {
    envoy: &'e Envoy,
    socket: PathBuf,
    open: Option<SendRequest<Full<Bytes>>>,
}

/// What became of a call. The status is 0 when there was no answer.
pub(super) struct Answer {
    /// The message that the upstream was sent, if one was.
    pub sent: Option<Bytes>,
    pub status: u16,
    pub body: Bytes,
}

impl<'e> Caller<'e> {
    pub(super) fn new(envoy: &'e Envoy, types: &str, way: usize) -> Self {
        Caller { envoy, socket: envoy.socket(types, way), open: None }
    }

    /// Sends JSON to the RPC of a type; the upstream answers with `reply`.
    pub(super) async fn call(&mut self, of: &str, id: &str, json: &[u8], reply: &[u8]) -> Answer {
        self.envoy.calls.begin(id, reply);
        let request = Request::post(echo::path(of)).header("host", "envoy").header("content-type", "application/json");
        let request = request.header(CALL, id).body(Full::new(Bytes::copy_from_slice(json))).expect("a request");
        // Envoy closes the connection after some of its refusals.
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().await,
        };
        // Envoy closes the connection after some of its refusals.
        if open.ready().await.is_err() {
            open = self.connect().await;
        }
        // Envoy closes the connection of a reply that it cannot write.
        let Ok(response) = open.send_request(request).await else {
            return Answer { sent: self.envoy.calls.end(id), status: 0, body: Bytes::new() };
        };
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        self.open = Some(open);
        Answer { sent: self.envoy.calls.end(id), status, body }
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = UnixStream::connect(&self.socket).await.expect("Envoy listens");
        let (open, connection) = handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
        tokio::spawn(connection);
        open
    }
}
