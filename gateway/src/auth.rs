//! The bearer token of a request against the access rule of its RPC. All that the gateway knows of tokens.

use http::{HeaderMap, HeaderValue};
use rpc::{
    KeySet, Principal,
    access::{permit, unauthenticated},
    bearer,
};
use tonic::Status;
use transcode::Access;

/// Admits the request, and answers the `authorization` to forward and the user, where the token has been verified. A public
/// RPC is for everybody: its token goes on unjudged, and the service takes a caller whose token is no good for anonymous.
pub(crate) fn admit(
    keys: &KeySet,
    access: &Access,
    headers: &HeaderMap,
) -> Result<(Option<HeaderValue>, Option<String>), Status> {
    let token = match bearer::token(headers) {
        Err(_) if access.public => None,
        read => read?,
    };
    let Some(token) = token else {
        permit(access, Principal::Anonymous)?;
        return Ok((None, None));
    };
    let mut user = None;
    if !access.public {
        let principal = keys.verify(token).map_err(|error| unauthenticated(error.to_string()))?;
        user = permit(access, principal)?.user_id().map(str::to_owned);
    }
    let mut forwarded = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| unauthenticated("the token has characters that a token cannot have"))?;
    // No log of headers shows a token.
    forwarded.set_sensitive(true);
    Ok((Some(forwarded), user))
}
