//! `If-None-Match` of a write: the versions that it must not meet, which no service compares. The resource is read by the GET
//! of its path, and the write goes to the version that was read and to no other.

use crate::{
    auth,
    call::{self, Call},
    coding::version,
    condition::{failed, none_match::NoneMatch},
    error::Failure,
    headers,
    state::Gateway,
};
use http::{HeaderMap, Method, request::Parts};
use transcode::Match;

/// Lets a write happen, and tells the version that it may change where the resource has one. Reads are let through.
pub(crate) async fn admit(
    unwanted: Option<&NoneMatch>,
    gateway: &Gateway,
    write: &Match,
    request: &Parts,
    forward: &HeaderMap,
) -> Result<Option<String>, Failure> {
    let Some(unwanted) = unwanted.filter(|_| !request.method.is_safe()) else { return Ok(None) };
    let read = gateway.router.find(Method::GET.as_str(), request.uri.path()).ok();
    let read = read.filter(|read| read.route.rpc.reachable() && !read.route.rpc.server_streaming);
    let (Some(read), true) = (read.as_ref(), unwanted.says_something_of(&write.route)) else {
        return Err(rpc::status::violation("if-none-match", "cannot be compared by this method; leave it out").into());
    };
    // A path without a version of its own is that of a list, which is always there.
    if !write.route.takes_etag() {
        return Err(failed("the resource is there"));
    }
    // A part of the write: not counted once more.
    auth::admit(&gateway.keys, &read.route.rpc.access, &request.headers)?;
    let named = headers::named(&read.route.rpc, &request.headers)?;
    let etag = current(gateway, read, forward, &named).await?;
    let is_current = |tag: &str| etag.as_deref() == Some(version(tag));
    if unwanted.meets(is_current) { Err(failed("the resource has this version")) } else { Ok(etag) }
}

/// The version that a resource has now.
async fn current(
    gateway: &Gateway,
    read: &Match,
    forward: &HeaderMap,
    headers: &[(&str, &str)],
) -> Result<Option<String>, Failure> {
    let rpc = &read.route.rpc;
    let request = read.request(transcode::Parts { headers, ..transcode::Parts::default() })?;
    let call = Call {
        rpc,
        upstream: call::upstream(gateway, rpc)?,
        message: request.message,
        headers: forward.clone(),
        timeout: gateway.deadline,
    };
    Ok(read.route.reply(&call.unary().await?.message)?.etag)
}
