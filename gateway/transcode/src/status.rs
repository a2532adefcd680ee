//! gRPC statuses as JSON over HTTP: `google.rpc.Status`, and the form of RFC 6749 for the token endpoint.

use crate::{
    schema::Schema,
    write::{Options, Writer},
};
use prost::Message;
use prost_reflect::DescriptorPool;
use serde_json::{Value, json};
use std::sync::LazyLock;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The tables of the details that the gateway itself gives, which the descriptors of others may lack.
static OWN: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&DescriptorPool::decode(contracts::DESCRIPTORS).expect("a build makes descriptors that link"))
});

/// `ErrorInfo.domain` of everything that Comptoir itself refuses.
pub const DOMAIN: &str = "comptoir";

/// The HTTP status for a gRPC code, as documented in google/rpc/code.proto.
pub fn http_status(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    }
}

/// The name of a gRPC code, as in google/rpc/code.proto.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// `{"code": 5, "message": "…", "details": [{"@type": …}]}`. Details whose type `schema` has are written out, others
/// by their type alone. A status without details gets an `ErrorInfo` whose reason is the name of its code.
pub(crate) fn status_json(schema: &Schema, status: &Status) -> Value {
    let decoded = tonic_types::Status::decode(status.details()).unwrap_or_default();
    let mut details: Vec<Value> = decoded.details.iter().map(|any| detail(schema, &any.type_url, &any.value)).collect();
    // tonic itself makes statuses without details; callers shall find a reason in every error.
    if details.is_empty() {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": code_name(status.code()),
            "domain": DOMAIN,
            "metadata": {},
        }));
    }
    json!({"code": i32::from(status.code()), "message": status.message(), "details": details})
}

fn detail(schema: &Schema, type_url: &str, bytes: &[u8]) -> Value {
    let is_own = || type_url.rsplit('/').next().is_some_and(|name| name.starts_with("google.rpc."));
    let written = written(schema, type_url, bytes).or_else(|| is_own().then(|| written(&OWN, type_url, bytes))?);
    written.unwrap_or_else(|| json!({"@type": type_url}))
}

fn written(schema: &Schema, type_url: &str, bytes: &[u8]) -> Option<Value> {
    let mut writer = Writer::new(schema, Options::default(), bytes.len());
    writer.wrapped(type_url, bytes).ok()?;
    serde_json::from_slice(&writer.out).ok()
}

/// The error reply of RFC 6749, section 5.2: HTTP status and `{"error": …, "error_description": …}`.
///
/// `ErrorInfo.reason` decides when it is one of that section's codes, or of RFC 7009, section 2.2.1; otherwise the gRPC code does.
pub fn oauth_json(status: &Status) -> (u16, Value) {
    let reason = status.get_details_error_info().map(|info| info.reason.to_ascii_lowercase()).unwrap_or_default();
    let error = match reason.as_str() {
        "invalid_request"
        | "invalid_client"
        | "invalid_grant"
        | "unauthorized_client"
        | "unsupported_grant_type"
        | "unsupported_token_type"
        | "invalid_scope" => reason.as_str(),
        _ => oauth_error(status.code()),
    };
    let http = match error {
        "invalid_client" => 401,
        "server_error" | "temporarily_unavailable" => http_status(status.code()),
        _ => 400,
    };
    (http, json!({"error": error, "error_description": status.message()}))
}

fn oauth_error(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "invalid_request",
        Code::Unauthenticated => "invalid_grant",
        Code::Cancelled | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted | Code::Unavailable => {
            "temporarily_unavailable"
        }
        Code::Ok
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => "server_error",
    }
}
