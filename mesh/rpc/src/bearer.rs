//! The one reading of the `authorization` header (RFC 9110, section 11.4; RFC 6750, section 2.1), at the gateway and over gRPC.

use crate::access::unauthenticated;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use tonic::Status;

/// The bearer token of a request. A scheme other than Bearer, in any case, such as the client authentication of OAuth,
/// counts as no token.
pub fn token(headers: &HeaderMap) -> Result<Option<&str>, Status> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    // A proxy and this process might each believe another one.
    if values.next().is_some() {
        return Err(unauthenticated("there is more than one authorization header"));
    }
    parse(value)
}

fn parse(value: &HeaderValue) -> Result<Option<&str>, Status> {
    let text = value.to_str().map_err(|_| unauthenticated("the authorization header is not ASCII"))?.trim();
    let (scheme, token) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    match token.trim() {
        "" => Err(unauthenticated("the authorization header has no token after its scheme")),
        token if is_token68(token) => Ok(Some(token)),
        _ => Err(unauthenticated("the token has characters that a token cannot have")),
    }
}

/// `token68` of RFC 9110, section 11.2: letters, digits and a few marks, then padding.
fn is_token68(token: &str) -> bool {
    let is_mark = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    let unpadded = token.trim_end_matches('=');
    !unpadded.is_empty() && unpadded.bytes().all(is_mark)
}
