//! `If-None-Match` (RFC 9110, section 13.1.2): 304 instead of what the caller has already, and no write to what must not be
//! there.
//!
//! A read is compared once its reply is there; a write before it is sent, in `conditional_write`.

use super::{Listed, Tag, listed, tags};
use crate::error::Failure;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream;
use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use std::convert::Infallible;
use transcode::Route;

/// What would describe the content, of which a 304 has none.
const OF_CONTENT: [HeaderName; 3] = [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING];

/// What the caller must not be answered with, or must not change.
#[derive(Clone, Debug)]
pub(crate) struct NoneMatch(Listed);

/// Reads the header; none when it is not there.
pub(crate) fn of(headers: &HeaderMap) -> Result<Option<NoneMatch>, Failure> {
    Ok(listed(headers, &IF_NONE_MATCH)?.map(NoneMatch))
}

impl NoneMatch {
    /// Whether the condition can be compared for a write by `route`: `*` can wherever there is a resource.
    pub(crate) fn says_something_of(&self, route: &Route) -> bool {
        route.takes_etag() || self.0 == Listed::Star
    }

    /// Whether something that is there has one of the tags. The comparison is weak: whether a tag is does not matter.
    pub(crate) fn meets(&self, has: impl Fn(&str) -> bool) -> bool {
        match &self.0 {
            Listed::Star => true,
            Listed::Tags(tags) => tags.iter().any(|tag| has(&tag.opaque)),
        }
    }
}

/// Attaches the condition to the reply to a read, for [`answered`].
pub(crate) fn attach(unwanted: Option<NoneMatch>, method: &Method, mut reply: Response) -> Response {
    if let Some(unwanted) = unwanted.filter(|_| method.is_safe()) {
        reply.extensions_mut().insert(unwanted);
    }
    reply
}

/// The reply as it is sent: 304 without its content when the caller has that already.
pub(crate) fn answered(mut response: Response) -> Response {
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
