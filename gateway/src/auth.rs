//! The bearer token of a request against the access rule of its RPC. All that the gateway knows of tokens.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use rpc::{
    KeySet, Principal,
    access::{permit, unauthenticated},
};
use tonic::Status;
use transcode::Access;

/// Admits the request, and answers the `authorization` to forward. A bad token is refused on public RPCs too. A scheme
/// other than Bearer, such as the client authentication of OAuth, counts as no token and is not forwarded.
pub(crate) fn admit(keys: &KeySet, access: &Access, headers: &HeaderMap) -> Result<Option<HeaderValue>, Status> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let token = values.next().map(bearer).transpose()?.flatten();
    if values.next().is_some() {
        return Err(unauthenticated("there is more than one authorization header"));
    }
    let Some(token) = token else {
        permit(access, &Principal::Anonymous)?;
        return Ok(None);
    };
    let principal = keys.verify(token).map_err(|error| unauthenticated(error.to_string()))?;
    permit(access, &principal)?;
    let mut forwarded = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| unauthenticated("the token has characters that a token cannot have"))?;
    forwarded.set_sensitive(true);
    Ok(Some(forwarded))
}

fn bearer(value: &HeaderValue) -> Result<Option<&str>, Status> {
    let text = value.to_str().map_err(|_| unauthenticated("the authorization header is not ASCII"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()))
}
