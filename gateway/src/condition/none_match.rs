//! `If-None-Match` (RFC 9110, section 13.1.2): 304 instead of what the caller has already, and no write to what must not be
//! there.
//!
//! A read is compared once its reply is there. A write names the versions that it must not meet, which no service compares:
//! the resource is read by the GET of its path, and the write goes to the version that was read and to no other.

use super::{Listed, Tag, failed, listed, tags};
use crate::{
    auth,
    call::{self, Call},
    coding::version,
    error::Failure,
    state::Gateway,
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream;
use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    request::Parts,
};
use std::convert::Infallible;
use transcode::{Match, Route};

const NAME: &str = "if-none-match";

/// What would describe the content, of which a 304 has none.
const OF_CONTENT: [HeaderName; 3] = [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING];

/// What the caller must not be answered with, or must not change.
#[derive(Clone, Debug)]
pub(crate) struct NoneMatch(Listed);

/// Reads the header; none when it is not there.
pub(crate) fn of(headers: &HeaderMap) -> Result<Option<NoneMatch>, Failure> {
    Ok(listed(headers, &IF_NONE_MATCH)?.map(NoneMatch))
}

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
        return Err(rpc::status::violation(NAME, "cannot be compared by this method; leave it out").into());
    };
    // A path without a version of its own is that of a list, which is always there.
    if !write.route.takes_etag() {
        return Err(failed("the resource is there"));
    }
    auth::admit(&gateway.keys, &read.route.rpc.access, &request.headers)?;
    let etag = current(gateway, read, forward).await?;
    let is_current = |tag: &str| etag.as_deref() == Some(version(tag));
    if unwanted.meets(is_current) { Err(failed("the resource has this version")) } else { Ok(etag) }
}

impl NoneMatch {
    /// Whether the condition can be compared for a write by `route`: `*` can wherever there is a resource.
    fn says_something_of(&self, route: &Route) -> bool {
        route.takes_etag() || self.0 == Listed::Star
    }

    /// Whether something that is there has one of the tags. The comparison is weak: whether a tag is does not matter.
    fn meets(&self, has: impl Fn(&str) -> bool) -> bool {
        match &self.0 {
            Listed::Star => true,
            Listed::Tags(tags) => tags.iter().any(|tag| has(&tag.opaque)),
        }
    }
}

/// The version that a resource has now.
async fn current(gateway: &Gateway, read: &Match, forward: &HeaderMap) -> Result<Option<String>, Failure> {
    let rpc = &read.route.rpc;
    let request = read.request(transcode::Parts::default())?;
    let call = Call {
        rpc,
        channel: call::upstream(gateway, rpc)?,
        message: request.message,
        headers: forward.clone(),
        timeout: gateway.deadline,
    };
    Ok(read.route.reply(&call.unary().await?)?.etag)
}

/// Attaches the condition to the reply to a read, for [`answered`].
pub(crate) fn attach(unwanted: Option<NoneMatch>, method: &Method, mut reply: Response) -> Response {
    if let Some(unwanted) = unwanted.filter(|_| method.is_safe()) {
        reply.extensions_mut().insert(unwanted);
    }
    reply
}

/// The reply as it is sent: 304 without its content when the caller has that already.
pub(crate) async fn answered(mut response: Response) -> Response {
    let Some(condition) = response.extensions_mut().remove::<NoneMatch>() else { return response };
    let shown: Vec<Tag> = response.headers().get(ETAG).and_then(tags).unwrap_or_default();
    let etag = shown.first().map(|tag| tag.opaque.as_str());
    if response.status() != StatusCode::OK || !condition.meets(|tag| etag == Some(tag)) {
        return response;
    }
    for name in &OF_CONTENT {
        response.headers_mut().remove(name);
    }
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    // An empty body of a known length would be told as `Content-Length: 0`, which a 304 must not say of its content.
    response.map(|_| Body::from_stream(stream::empty::<Result<Bytes, Infallible>>()))
}
