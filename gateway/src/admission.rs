//! Who is let in: rate limits, the token against the access rule of the RPC, sign-ins that have failed too often. All of it
//! before the body is read: a caller without a right to an RPC must not make the gateway hold megabytes.

use crate::{auth, error::Failure, limits::Told, sign_ins, state::Gateway};
use http::{HeaderMap, HeaderValue, request::Parts};
use transcode::Rpc;

/// A call that is let in.
pub(crate) struct Admission {
    /// The `authorization` that goes along with the call.
    pub authorization: Option<HeaderValue>,
    caller: sign_ins::Caller,
    told: Told,
}

/// Lets a call of `rpc` in.
pub(crate) async fn admit(gateway: &Gateway, rpc: &Rpc, request: &Parts) -> Result<Admission, Failure> {
    let mut told = Told::default();
    let proxies = &gateway.trusted_proxies;
    gateway.limits.of_address((rpc, request), proxies, &mut told).await?;
    let told_of = |mut failure: Failure| {
        told.tell(&mut failure.headers);
        failure
    };
    let admitted = auth::admit(&gateway.keys, &rpc.access, &request.headers);
    let (authorization, user) = admitted.map_err(|status| told_of(status.into()))?;
    let caller = sign_ins::admit(gateway, rpc, request).map_err(told_of)?;
    gateway.limits.of_caller((rpc, request, user.as_deref()), proxies, &mut told).await?;
    Ok(Admission { authorization, caller, told })
}

impl Admission {
    /// Counts a failure of the call, when it is one of a credential.
    pub(crate) fn note(&self, gateway: &Gateway, failure: &Failure) {
        sign_ins::note(gateway, &self.caller, failure);
    }

    /// Tells the caller of the limits that have counted the call.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        self.told.tell(headers);
    }
}
