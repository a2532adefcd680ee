//! What every request passes before its handler: trace, token, access rule, deadline.

use crate::{KeySet, Principal, Rules, access, deadline, status};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::Instrument;

/// Deadline of a request that brings none.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);

/// What the gate decides by.
pub struct Gate {
    /// Keys of users and services.
    pub keys: KeySet,
    /// Access rules of the contracts.
    pub rules: Rules,
}

/// The gate as an axum middleware.
pub async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("rpc", otel.name = %path, otel.kind = "server", rpc.system = "grpc");
    telemetry::continue_trace(&span, request.headers());
    match gate.admit(&path, request.headers()) {
        Ok(principal) => request.extensions_mut().insert(principal),
        Err(status) => return status.into_http(),
    };
    let timeout = request.headers().get("grpc-timeout").and_then(|value| value.to_str().ok());
    let timeout = timeout.and_then(deadline::parse).unwrap_or(DEFAULT_DEADLINE);
    let handled = deadline::scope(Instant::now() + timeout, next.run(request)).instrument(span).await;
    handled.unwrap_or_else(|status| status.into_http())
}

impl Gate {
    fn admit(&self, path: &str, headers: &http::HeaderMap) -> Result<Principal, Status> {
        let principal = self.principal(headers)?;
        if path.starts_with("/grpc.health.v1.") || path.starts_with("/grpc.reflection.v1") {
            return Ok(principal);
        }
        let unknown = || status::error(Code::Unimplemented, "UNKNOWN_RPC", format!("there is no RPC {path}"));
        access::permit(self.rules.get(path).ok_or_else(unknown)?, &principal)?;
        Ok(principal)
    }

    fn principal(&self, headers: &http::HeaderMap) -> Result<Principal, Status> {
        let Some(value) = headers.get(http::header::AUTHORIZATION) else { return Ok(Principal::Anonymous) };
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| access::unauthenticated("the authorization header is not a bearer token"))?;
        self.keys.verify(token).map_err(|error| access::unauthenticated(error.to_string()))
    }
}
