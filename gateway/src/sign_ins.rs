//! Sign-ins that fail at the gateway: how often one address may fail, whatever accounts it tries.
//!
//! How often one account may be tried is the users service's to count. What succeeds is never counted.

use crate::{client, error::Failure, state::Gateway};
use http::request::Parts;
use std::{sync::Once, time::Instant};
use transcode::Rpc;

/// The first refusal is told, not each: they come as fast as somebody guesses.
static TOLD: Once = Once::new();

/// Who asks for a token; none of a request for something else.
pub(crate) struct Caller(Option<String>);

/// The caller of `rpc`, unless they have failed too often.
pub(crate) fn admit(gateway: &Gateway, rpc: &Rpc, request: &Parts) -> Result<Caller, Failure> {
    if !rpc.access.oauth2_errors {
        return Ok(Caller(None));
    }
    let caller = client::name(&gateway.trusted_proxies, request);
    gateway.failed_sign_ins.check(&caller, Instant::now()).map_err(|wait| {
        let forwarded = request.headers.contains_key("x-forwarded-for");
        TOLD.call_once(|| {
            tracing::warn!(
                forwarded,
                "sign-ins of one address are limited; if it is a proxy, set COMPTOIR_TRUSTED_PROXIES"
            )
        });
        rpc::attempts::too_many(wait)
    })?;
    Ok(Caller(Some(caller)))
}

/// Counts a failure, when it is that of a credential.
pub(crate) fn note(gateway: &Gateway, caller: &Caller, failure: &Failure) {
    if let Caller(Some(caller)) = caller
        // Other failures try no credential: a missing parameter, a service that is down.
        && matches!(rpc::status::reason(&failure.status).as_str(), "invalid_grant" | "invalid_client")
    {
        gateway.failed_sign_ins.count(caller, Instant::now());
    }
}
