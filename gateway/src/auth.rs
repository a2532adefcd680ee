//! The bearer token of a request against the access rule of its RPC. All that the gateway knows of tokens.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use rpc::{
    KeySet, Principal,
    access::{permit, unauthenticated},
    bearer, status,
};
use tonic::{Code, Status};
use transcode::Access;

/// Admits the request, and answers the `authorization` to forward and the user or client, where the token has been verified. A
/// public RPC is for everybody: its token goes on unjudged, and the service takes a caller whose token is no good for anonymous.
/// At an endpoint of OAuth the header is the authentication of a client, which its service judges; a token there counts as none.
pub(crate) fn admit(
    keys: &KeySet,
    access: &Access,
    headers: &HeaderMap,
) -> Result<(Option<HeaderValue>, Option<String>), Status> {
    if access.oauth2_errors {
        return Ok((client(headers)?, None));
    }
    let token = match bearer::token(headers) {
        Err(_) if access.public => None,
        read => read?,
    };
    let Some(token) = token else {
        permit(access, Principal::Anonymous)?;
        return Ok((None, None));
    };
    let mut subject = None;
    if !access.public {
        let principal = keys.verify(token).map_err(|error| unauthenticated(error.to_string()))?;
        subject = permit(access, principal)?.subject().map(str::to_owned);
    }
    let mut forwarded = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| unauthenticated("the token has characters that a token cannot have"))?;
    // No log of headers shows a token.
    forwarded.set_sensitive(true);
    Ok((Some(forwarded), subject))
}

/// The header by which a client authenticates itself (RFC 6749, section 2.3.1): the only one then.
fn client(headers: &HeaderMap) -> Result<Option<HeaderValue>, Status> {
    let is_basic = |value: &&HeaderValue| value.as_bytes().get(..5).is_some_and(|it| it.eq_ignore_ascii_case(b"basic"));
    let values = headers.get_all(AUTHORIZATION);
    let Some(mut value) = values.iter().find(is_basic).cloned() else { return Ok(None) };
    if values.iter().nth(1).is_some() {
        let text = "there is more than one authorization header";
        return Err(status::error(Code::InvalidArgument, "invalid_request", text));
    }
    value.set_sensitive(true);
    Ok(Some(value))
}
