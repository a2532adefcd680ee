//! Errors as Connect writes them: a code in words, and details as base64.

use crate::{error::Failure, reply};
use axum::response::Response;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use prost::Message;
use serde_json::{Value, json};
use tonic::{Code, Status};
use transcode::{Router, http_status};

/// The name of a gRPC code in Connect.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok | Code::Unknown => "unknown",
        Code::Cancelled => "canceled",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

/// `{"code": "not_found", "message": …, "details": [{"type", "value", "debug"}]}`.
pub(super) fn json(router: &Router, status: &Status) -> Value {
    let decoded = tonic_types::Status::decode(status.details()).unwrap_or_default();
    let shown = router.status_json(status);
    let debug = |at: usize| shown.get("details").and_then(|details| details.get(at)).cloned();
    let details = decoded.details.iter().enumerate().map(|(at, any)| {
        let kind = any.type_url.rsplit('/').next().unwrap_or_default();
        json!({"type": kind, "value": STANDARD_NO_PAD.encode(&any.value), "debug": debug(at)})
    });
    json!({"code": name(status.code()), "message": status.message(), "details": details.collect::<Vec<_>>()})
}

/// The reply to a unary call that failed.
pub(super) fn reply(router: &Router, failure: &Failure) -> Response {
    let http = reply::http(failure, http_status(failure.status.code()));
    let mut response = reply::json(http, json(router, &failure.status).to_string());
    reply::annotate(response.headers_mut(), failure, http, None);
    response
}
