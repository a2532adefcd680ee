//! The request body: bounded in bytes, and in time.

use crate::error::Failure;
use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use std::time::Duration;
use tonic::Code;

/// Reads the body: 413 when it is longer than `limit_bytes`, known at once by Content-Length; 408 when it is not there
/// after `timeout`.
pub(crate) async fn read(body: Body, limit_bytes: usize, timeout: Duration) -> Result<Bytes, Failure> {
    let read = tokio::time::timeout(timeout, collect(body, limit_bytes)).await;
    read.unwrap_or_else(|_| {
        let message = "the body did not arrive in time";
        let status = rpc::status::error(Code::DeadlineExceeded, "BODY_TIMEOUT", message);
        Err(Failure::with_http(StatusCode::REQUEST_TIMEOUT, status))
    })
}

async fn collect(mut body: Body, limit_bytes: usize) -> Result<Bytes, Failure> {
    fits(&body, limit_bytes)?;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "a body broke off");
            rpc::status::error(Code::InvalidArgument, "BODY_INCOMPLETE", "the body broke off")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len().saturating_add(data.len()) > limit_bytes {
            return Err(too_large(limit_bytes));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// 413 when Content-Length alone tells that the body is too large. Nothing of it is read, so no `100 Continue` is sent.
pub(crate) fn fits(body: &Body, limit_bytes: usize) -> Result<(), Failure> {
    let announced = usize::try_from(HttpBody::size_hint(body).lower());
    if announced.is_ok_and(|announced| announced <= limit_bytes) { Ok(()) } else { Err(too_large(limit_bytes)) }
}

/// 413 for a body of more than `limit_bytes`.
pub(crate) fn too_large(limit_bytes: usize) -> Failure {
    let message = format!("the body is larger than {limit_bytes} bytes");
    let status = rpc::status::error(Code::InvalidArgument, "BODY_TOO_LARGE", message);
    Failure::with_http(StatusCode::PAYLOAD_TOO_LARGE, status)
}
