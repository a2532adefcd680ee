//! What HTTP itself asks of a request, before anybody looks for its path: `Host`, and whether its body is sent unasked.

use crate::error::Failure;
use http::{
    HeaderMap, HeaderValue, Version,
    header::{EXPECT, HOST},
    request::Parts,
    uri::Authority,
};

/// HTTP/1.1 has one `Host`, which is empty or an authority (RFC 9112, section 3.2).
pub(crate) fn host(parts: &Parts) -> Result<(), Failure> {
    if parts.version != Version::HTTP_11 {
        return Ok(());
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if names_a_host(host) => Ok(()),
        (Some(_), None) => Err(rpc::status::violation("host", "must be a host, with its port if it has one").into()),
        (Some(_), Some(_)) => Err(rpc::status::violation("host", "must be sent once").into()),
        (None, _) => Err(rpc::status::violation("host", "is required in HTTP/1.1").into()),
    }
}

fn names_a_host(value: &HeaderValue) -> bool {
    let is_authority = |text: &str| text.is_empty() || (!text.contains('@') && text.parse::<Authority>().is_ok());
    value.to_str().is_ok_and(is_authority)
}

/// Whether the caller holds the body back until it is asked for with `100 Continue`.
pub(crate) fn waits_for_continue(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
