//! `GET /healthz` and `GET /readyz`.

use crate::{reply::json, state::Gateway, upstream::Upstream};
use axum::response::Response;
use futures::future::join_all;
use http::StatusCode;
use serde_json::{Map, Value};
use std::time::Duration;
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::service_fn;

/// How long an upstream may take to answer; probes give up after a few seconds, and need the reply about the others.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn live() -> Response {
    json(StatusCode::OK, r#"{"status":"SERVING"}"#)
}

/// Whether every upstream is SERVING: 200 or 503, with the state of each. Upstreams are asked in parallel. After the
/// shutdown, and before the schema is known, the gateway is not ready, whatever they say. A server that has no health service
/// is taken for SERVING: it has answered.
pub(crate) async fn ready(gateway: &Gateway) -> Response {
    let checks = gateway.upstreams.iter().map(|(package, upstream)| async { (package.clone(), check(upstream).await) });
    let states = join_all(checks).await;
    let ready = !gateway.is_waiting
        && !gateway.stop.is_cancelled()
        && states.iter().all(|(_, state)| *state == ServingStatus::Serving);
    let states: Map<String, Value> =
        states.into_iter().map(|(package, state)| (package, state.as_str_name().into())).collect();
    let (http, state) = if ready {
        (StatusCode::OK, ServingStatus::Serving)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, ServingStatus::NotServing)
    };
    json(http, serde_json::json!({"status": state.as_str_name(), "upstreams": states}).to_string())
}

/// Asks also an upstream whose breaker is open: who is told that it serves must be able to call it at once.
async fn check(upstream: &Upstream) -> ServingStatus {
    let mut request = Request::new(HealthCheckRequest { service: String::new() });
    request.set_timeout(CHECK_TIMEOUT);
    let mut client = HealthClient::new(service_fn(|request| upstream.ask(request)));
    let state = match tokio::time::timeout(CHECK_TIMEOUT, client.check(request)).await {
        Ok(Ok(response)) => response.into_inner().status(),
        Ok(Err(status)) if status.code() == Code::Unimplemented => ServingStatus::Serving,
        Ok(Err(_)) | Err(_) => return ServingStatus::Unknown,
    };
    upstream.reached();
    state
}
