//! The form of messages, and the headers that are about them.

use crate::{call::exceeded, error::Failure};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use std::time::Duration;
use tonic::{Code, Status};
use transcode::{Router, Rpc};

/// The form of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Json,
    Proto,
}

impl Codec {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Codec::Json),
            "proto" => Some(Codec::Proto),
            _ => None,
        }
    }

    /// That of a body, by its content type: `application/proto`, `application/connect+json; charset=utf-8`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media_type.ends_with("proto") { Codec::Proto } else { Codec::Json }
    }

    /// The request message for an upstream.
    pub(super) fn read(self, router: &Router, rpc: &Rpc, message: Bytes) -> Result<Bytes, Failure> {
        match self {
            Codec::Proto => Ok(message),
            // An empty body is an empty message.
            Codec::Json if message.is_empty() => Ok(message),
            Codec::Json => Ok(router.read(rpc, &message)?),
        }
    }

    /// A refusal with the names of fields as the caller writes them.
    pub(super) fn spelled(self, router: &Router, rpc: &Rpc, status: Status) -> Status {
        match self {
            Codec::Proto => status,
            Codec::Json => rpc::status::renamed(status, |field| router.json_path(rpc, field)),
        }
    }

    /// The reply message of an upstream for the caller.
    pub(super) fn write(self, router: &Router, rpc: &Rpc, message: Bytes) -> Result<Bytes, Failure> {
        match self {
            Codec::Proto => Ok(message),
            Codec::Json => Ok(router.write(rpc, &message)?.into()),
        }
    }
}

/// Checks `Connect-Protocol-Version`; a caller that sends none is content with any.
pub(super) fn version(version: Option<&str>) -> Result<(), Failure> {
    match version {
        None | Some("1") => Ok(()),
        Some(_) => Err(rpc::status::violation("connect-protocol-version", "must be 1").into()),
    }
}

/// `Connect-Timeout-Ms`: at most ten digits.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Failure> {
    let Some(value) = headers.get("connect-timeout-ms").map(HeaderValue::as_bytes) else { return Ok(None) };
    let digits = std::str::from_utf8(value).ok().filter(|text| (1..=10).contains(&text.len()));
    let millis =
        digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok());
    let wrong = "must be a whole number of 1 to 10 digits";
    let wrong = || Failure::from(rpc::status::violation("connect-timeout-ms", wrong));
    match millis.ok_or_else(wrong)? {
        // It has passed already: nothing is asked of a service whose reply nobody waits for.
        0 => Err(exceeded().into()),
        millis => Ok(Some(Duration::from_millis(millis))),
    }
}

/// A refusal of what the RPC is not.
pub(super) fn unfit(message: &str) -> Failure {
    rpc::status::error(Code::Unimplemented, "UNSUPPORTED_PROTOCOL", message).into()
}
