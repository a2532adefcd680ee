//! What a call says about how its peer is reached.

use http::{HeaderMap, Response, StatusCode};
use std::error::Error;
use tonic::{Code, ConnectError, Status, TimeoutExpired};

/// What a call says about how its peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The peer has answered.
    Reached,
    /// No connection could be made.
    Unreachable,
    /// The connection broke before the head of a reply, or a proxy says that the peer is not there.
    Lost,
    /// Nothing: the deadline passed, or the call was given up by one of both.
    Unknown,
}

impl Outcome {
    /// That of a call that has a reply, or none.
    pub fn of<B, E: Error + 'static>(answered: &Result<Response<B>, E>) -> Self {
        match answered {
            Ok(response) => Self::of_head(response.status(), response.headers()),
            Err(error) => Self::of_error(error),
        }
    }

    /// A service says why it is not available, in details; who stands before it, such as a sidecar, knows none.
    fn of_head(http: StatusCode, headers: &HeaderMap) -> Self {
        if matches!(http, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE) {
            return Self::Lost;
        }
        let Some(code) = headers.get(Status::GRPC_STATUS) else { return Self::Reached };
        match Code::from_bytes(code.as_bytes()) {
            Code::Unavailable if !headers.contains_key(Status::GRPC_STATUS_DETAILS) => Self::Lost,
            Code::DeadlineExceeded | Code::Cancelled => Self::Unknown,
            _ => Self::Reached,
        }
    }

    /// The reset of one stream is no end of its connection: a handler has panicked, or the caller's messages broke off.
    fn of_error(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let is_reset = error.downcast_ref::<h2::Error>().is_some_and(h2::Error::is_reset);
            if is_reset || error.is::<TimeoutExpired>() {
                return Self::Unknown;
            }
            if error.is::<ConnectError>() {
                return Self::Unreachable;
            }
            cause = error.source();
        }
        Self::Lost
    }
}
