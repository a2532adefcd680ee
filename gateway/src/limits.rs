//! Rate limits: how many requests each caller may send in a time. The gateway's own are about callers; what one account or one
//! product can bear the services say.
//!
//! An address is counted before its token is verified, so that a flood of bad tokens costs no signatures.

use crate::{
    client::{self, TrustedProxies},
    error::Failure,
    rates::{ADDRESS, RateLimits, SIGN_IN, USER},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request::Parts};
use limit::{Decision, Limiter, Shared};
use std::{collections::HashMap, fmt::Write as _, sync::Arc, time::Duration};
use transcode::{Router, Rpc};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The limits of a gateway.
pub(crate) struct Limits {
    user: Option<Limiter>,
    address: Option<Limiter>,
    sign_in: Option<Limiter>,
    /// By the full name of the RPC, for each caller.
    rpcs: HashMap<String, Limiter>,
}

impl Limits {
    pub(crate) fn new(limits: &RateLimits, shared: Option<&Arc<Shared>>) -> Self {
        let mut limiters: HashMap<String, Limiter> =
            limits.0.iter().map(|(name, quota)| (name.clone(), Limiter::new(name, *quota, shared.cloned()))).collect();
        let mut take = |name| limiters.remove(name);
        Limits { user: take(USER), address: take(ADDRESS), sign_in: take(SIGN_IN), rpcs: limiters }
    }

    /// Counts a call of `rpc` for its address.
    pub(crate) async fn of_address(
        &self,
        (rpc, request): (&Rpc, &Parts),
        proxies: &TrustedProxies,
        told: &mut Told,
    ) -> Result<(), Failure> {
        let sign_in = self.sign_in.as_ref().filter(|_| rpc.access.oauth2_errors);
        for limiter in self.address.iter().chain(sign_in) {
            count(limiter, &client::name(proxies, request), told).await?;
        }
        Ok(())
    }

    /// Counts a call of `rpc` for its user, and for the limit of the RPC.
    pub(crate) async fn of_caller(
        &self,
        (rpc, request, user): (&Rpc, &Parts, Option<&str>),
        proxies: &TrustedProxies,
        told: &mut Told,
    ) -> Result<(), Failure> {
        if let (Some(limiter), Some(user)) = (&self.user, user) {
            count(limiter, user, told).await?;
        }
        if let Some(limiter) = self.rpcs.get(&rpc.full_name) {
            let address = || client::name(proxies, request);
            count(limiter, &user.map_or_else(address, str::to_owned), told).await?;
        }
        Ok(())
    }

    /// The name of a limit that no RPC has.
    pub(crate) fn unknown(&self, router: &Router) -> Option<&str> {
        let is_there = |name: &str| router.rpcs().any(|rpc| rpc.full_name == name);
        self.rpcs.keys().map(String::as_str).find(|name| !is_there(name))
    }
}

/// What the caller is told of the limits that have counted a call.
#[derive(Debug, Default)]
pub(crate) struct Told {
    policies: String,
    limits: String,
}

impl Told {
    fn add(&mut self, limiter: &Limiter, decision: &Decision) {
        let between = if self.policies.is_empty() { "" } else { ", " };
        let (name, quota) = (limiter.name(), limiter.quota());
        let written = write!(self.policies, "{between}\"{name}\";q={};w={}", quota.requests, quota.window.as_secs())
            .and_then(|()| {
                write!(self.limits, "{between}\"{name}\";r={};t={}", decision.free, seconds(decision.clear_in))
            });
        written.expect("a string takes what is written");
    }

    /// Adds `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers) to the headers of a reply.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        for (name, text) in [(POLICY, &self.policies), (LIMIT, &self.limits)] {
            if let Ok(value) = HeaderValue::try_from(text.as_str())
                && !text.is_empty()
            {
                headers.insert(name, value);
            }
        }
    }
}

async fn count(limiter: &Limiter, caller: &str, told: &mut Told) -> Result<(), Failure> {
    let decision = limiter.count(caller).await;
    told.add(limiter, &decision);
    let Some(wait) = decision.refused_for else { return Ok(()) };
    let quota = limiter.quota();
    let message =
        format!("more than {} requests in {} s; wait before the next one", quota.requests, quota.window.as_secs());
    let mut failure =
        Failure::with_http(StatusCode::TOO_MANY_REQUESTS, rpc::status::exhausted("RATE_LIMITED", &message, wait));
    told.tell(&mut failure.headers);
    Err(failure)
}

/// Rounded up: a caller that comes back too early is refused once more.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
