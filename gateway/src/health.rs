//! `GET /healthz` and `GET /readyz`.

use crate::{reply::json, state::Gateway};
use axum::response::Response;
use futures::future::join_all;
use http::StatusCode;
use serde_json::{Map, Value};
use tonic_health::pb::health_check_response::ServingStatus;

pub(crate) fn live() -> Response {
    json(StatusCode::OK, r#"{"status":"SERVING"}"#)
}

/// Whether every upstream is SERVING: 200 or 503, with the state of each. Upstreams are asked in parallel. After the
/// shutdown, and before the schema is known, the gateway is not ready, whatever they say.
pub(crate) async fn ready(gateway: &Gateway) -> Response {
    let checks =
        gateway.upstreams.iter().map(|(package, upstream)| async { (package.clone(), upstream.serving().await) });
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
