//! What every request passes before its handler: trace, token, access rule, deadline.

use crate::{KeySet, Principal, Rules, access, bearer, deadline, status};
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

pub struct Gate {
    pub keys: KeySet,
    pub rules: Rules,
}

/// Why the credential of a caller of a public RPC was refused. The caller passes as anonymous.
#[derive(Clone)]
pub(crate) struct RefusedCredential(pub(crate) Status);

pub async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("rpc", otel.name = %path, otel.kind = "server", rpc.system = "grpc");
    telemetry::continue_trace(&span, request.headers());
    // Before the body is read and a handler runs: a caller without a right to the RPC costs next to nothing.
    let (principal, refused) = match gate.admit(&path, request.headers()) {
        Ok(admitted) => admitted,
        Err(status) => return status.into_http(),
    };
    let actor = principal.as_actor();
    request.extensions_mut().insert(principal);
    if let Some(refused) = refused {
        request.extensions_mut().insert(refused);
    }
    let timeout = request.headers().get("grpc-timeout").and_then(|value| value.to_str().ok());
    let timeout = timeout.and_then(deadline::parse).unwrap_or(DEFAULT_DEADLINE);
    let handled = deadline::scope(Instant::now() + timeout, next.run(request));
    let handled = telemetry::acting(actor, handled).instrument(span).await;
    // A reply that is an error and nothing else has its gRPC status in the headers, any other has it in the trailers.
    if handled.as_ref().is_ok_and(|reply| !reply.headers().contains_key("grpc-status")) {
        telemetry::rpc_answered(&path);
    }
    handled.unwrap_or_else(|status| status.into_http())
}

impl Gate {
    /// Who calls. Health and reflection are for everybody and look at no credential; a public RPC takes a caller whose
    /// credential is refused for anonymous.
    fn admit(&self, path: &str, headers: &http::HeaderMap) -> Result<(Principal, Option<RefusedCredential>), Status> {
        if path.starts_with("/grpc.health.v1.") || path.starts_with("/grpc.reflection.v1") {
            return Ok((Principal::Anonymous, None));
        }
        let unknown = || status::error(Code::Unimplemented, "UNKNOWN_RPC", format!("there is no RPC {path}"));
        let rule = self.rules.get(path).ok_or_else(unknown)?;
        match self.principal(headers) {
            Ok(principal) => Ok((access::permit(rule, principal)?, None)),
            Err(refused) if rule.public => Ok((Principal::Anonymous, Some(RefusedCredential(refused)))),
            Err(refused) => Err(refused),
        }
    }

    fn principal(&self, headers: &http::HeaderMap) -> Result<Principal, Status> {
        let Some(token) = bearer::token(headers)? else { return Ok(Principal::Anonymous) };
        self.keys.verify(token).map_err(|error| access::unauthenticated(error.to_string()))
    }
}
