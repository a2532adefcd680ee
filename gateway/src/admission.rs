//! Who is let in: rate limits, the token against the access rule of the RPC, sign-ins that have failed too often. All of it
//! before the body is read: a caller without a right to an RPC must not make the gateway hold megabytes.

use crate::{
    auth,
    error::Failure,
    limits::Told,
    sign_ins,
    state::Gateway,
    streams::{Stream, Streams},
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderValue, request::Parts};
use http_body_util::BodyExt;
use transcode::Rpc;

/// A call that is let in.
pub(crate) struct Admission {
    /// The `authorization` that goes along with the call.
    pub authorization: Option<HeaderValue>,
    caller: sign_ins::Caller,
    told: Told,
    /// Of an RPC that streams.
    stream: Option<Stream>,
}

/// Lets a call of `rpc` in.
pub(crate) async fn admit(gateway: &Gateway, rpc: &Rpc, request: &Parts) -> Result<Admission, Failure> {
    let mut told = Told::default();
    let proxies = &gateway.trusted_proxies;
    gateway.limits.of_address((rpc, request), proxies, &mut told).await?;
    let told_of = |mut failure: Failure| {
        told.tell(&mut failure.headers);
        failure
    };
    let admitted = auth::admit(&gateway.keys, &rpc.access, &request.headers);
    let (authorization, user) = admitted.map_err(|status| told_of(status.into()))?;
    let caller = sign_ins::admit(gateway, rpc, request).map_err(told_of)?;
    let is_stream = rpc.server_streaming || rpc.client_streaming;
    let open = || Streams::open(&gateway.streams, user.as_deref(), request, proxies).map_err(told_of);
    let stream = is_stream.then(open).transpose()?;
    gateway.limits.of_caller((rpc, request, user.as_deref()), proxies, &mut told).await?;
    Ok(Admission { authorization, caller, told, stream })
}

impl Admission {
    /// Counts a failure of the call, when it is one of a credential.
    pub(crate) fn note(&self, gateway: &Gateway, failure: &Failure) {
        sign_ins::note(gateway, &self.caller, failure);
    }

    /// Tells the caller of the limits that have counted the call. A stream is open until the body ends or is dropped.
    pub(crate) fn end<B>(self, response: Response<B>) -> Response
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let mut response = match self.stream {
            Some(stream) => response.map(|body| Body::new(body.map_frame(move |frame| (&stream, frame).1))),
            None => response.map(Body::new),
        };
        self.told.tell(response.headers_mut());
        response
    }
}
