//! The channel over which services call each other: a deadline on every call, the caller's own token, the trace.

use crate::{Signer, deadline, status};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use std::{
    task::{Context, Poll},
    time::Duration,
};
use tonic::{Code, Status, body::Body, transport::Endpoint};
use tower::{Service, ServiceExt};

/// Deadline of a call when the request being served leaves more.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// A channel to one peer. Cheap to clone.
#[derive(Clone)]
pub struct Channel {
    inner: tonic::transport::Channel,
    signer: Option<Signer>,
    deadline: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("{uri:?} is not the address of a gRPC server such as http://127.0.0.1:9001: {source}")]
pub struct Error {
    uri: String,
    source: tonic::transport::Error,
}

impl Channel {
    /// A channel that connects when it is first used and again whenever it must. Calls carry the token of `signer`.
    pub fn new(uri: &str, signer: Option<Signer>) -> Result<Self, Error> {
        let endpoint = Endpoint::from_shared(uri.to_owned())
            .map_err(|source| Error { uri: uri.to_owned(), source })?
            .connect_timeout(Duration::from_secs(2))
            // The host of a peer may die without a word. Pings find it out within 25 s, also on a quiet channel,
            // whose next call would otherwise hang until its deadline.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true)
            // Replies to calls that were given up may come late. They are no fault of the peer, however many they are.
            .http2_max_local_error_reset_streams(None)
            .tcp_nodelay(true);
        Ok(Self { inner: endpoint.connect_lazy(), signer, deadline: DEFAULT_DEADLINE })
    }

    /// The same channel whose calls end after `deadline`, or when the request being served ends.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let inner = self.inner.clone();
        let signer = self.signer.clone();
        let deadline = self.deadline;
        Box::pin(async move {
            let timeout = deadline::remaining(deadline);
            if let Some(signer) = signer {
                authorize(&mut request, &signer)?;
            }
            let header = HeaderValue::from_str(&deadline::header(timeout)).map_err(|_| status::internal())?;
            request.headers_mut().insert("grpc-timeout", header);
            telemetry::inject_trace(request.headers_mut());
            match tokio::time::timeout(timeout, inner.oneshot(request)).await {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(error)) => Err(transport_status(error)),
                Err(_) => Err(deadline::exceeded()),
            }
        })
    }
}

fn authorize(request: &mut Request<Body>, signer: &Signer) -> Result<(), Status> {
    let token = signer.service_token().map_err(|error| {
        tracing::error!(%error, "this service cannot sign its own token; check its service key");
        status::internal()
    })?;
    let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| status::internal())?;
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}

/// A broken connection says nothing about the outcome: UNAVAILABLE, never UNKNOWN; an expired timer is a deadline.
fn transport_status(error: tonic::transport::Error) -> Status {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = source {
        if cause.is::<tonic::TimeoutExpired>() {
            return deadline::exceeded();
        }
        source = cause.source();
    }
    tracing::debug!(?error, "a call did not reach its peer");
    match Status::from_error(Box::new(error)).code() {
        Code::DeadlineExceeded => deadline::exceeded(),
        _ => status::unavailable("PEER_UNAVAILABLE", "a service that this depends on cannot be reached"),
    }
}
