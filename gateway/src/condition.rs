//! `If-Match` and `ETag` (RFC 9110, sections 8.8.3 and 13.1.1): nobody overwrites what they have not seen.
//!
//! Where a method takes the version that it may change, the service compares it. What was read is compared here.
//! `If-None-Match` is in `none_match`.

pub(crate) mod none_match;

use crate::{coding::version, error::Failure};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::IF_MATCH};
use tonic::{Code, Status};
use transcode::Route;

/// What stands between the elements of a list.
const BETWEEN: [char; 3] = [',', ' ', '\t'];

#[derive(Debug)]
pub(crate) enum IfMatch {
    /// Nothing: there is no such header, or it is `*`. What does not exist is NOT_FOUND anyway.
    Any,
    /// One of these versions. None when all that were sent are weak: those match nothing.
    Strong(Vec<String>),
}

/// A header that is `*` or a list of entity tags.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Listed {
    Star,
    Tags(Vec<Tag>),
}

/// An entity tag, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tag {
    opaque: String,
    is_weak: bool,
}

/// Reads the header, a list of entity tags or `*`.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<IfMatch, Failure> {
    let mut strong: Vec<String> = match listed(headers, &IF_MATCH)? {
        None | Some(Listed::Star) => return Ok(IfMatch::Any),
        Some(Listed::Tags(tags)) => {
            tags.into_iter().filter(|tag| !tag.is_weak).map(|tag| version(&tag.opaque).to_owned()).collect()
        }
    };
    // A tag that is sent twice is one condition.
    strong.sort();
    strong.dedup();
    Ok(IfMatch::Strong(strong))
}

/// Reads a header of conditions; several headers are one list.
fn listed(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Listed>, Failure> {
    let mut values = headers.get_all(name).iter().peekable();
    match values.peek() {
        None => return Ok(None),
        Some(value) if value.as_bytes() == b"*" => return Ok(Some(Listed::Star)),
        Some(_) => {}
    }
    let wrong =
        || Failure::from(rpc::status::violation(name.as_str(), "must be * or an ETag as it was sent, in quotes"));
    let mut all = Vec::new();
    for value in values {
        all.extend(tags(value).ok_or_else(wrong)?);
    }
    Ok(Some(Listed::Tags(all)))
}

/// The tags of a list. Empty elements of it do not matter (RFC 9110, section 5.6.1).
fn tags(value: &HeaderValue) -> Option<Vec<Tag>> {
    let mut rest = value.to_str().ok()?.trim_matches(BETWEEN);
    let mut all = Vec::new();
    loop {
        let (is_weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
        let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
        all.push(Tag { opaque: opaque.to_owned(), is_weak });
        if after.is_empty() {
            return Some(all);
        }
        after.trim_start().strip_prefix(',')?;
        rest = after.trim_start_matches(BETWEEN);
    }
}

impl IfMatch {
    /// The version to send along with a call of `route`. What cannot be compared is refused, never skipped.
    pub(crate) fn version(&self, route: &Route, method: &Method) -> Result<Option<&str>, Failure> {
        match self {
            IfMatch::Any => Ok(None),
            IfMatch::Strong(_) if method.is_safe() => Ok(None),
            IfMatch::Strong(_) if !route.takes_etag() => {
                Err(rpc::status::violation("if-match", "cannot be compared by this method; leave it out").into())
            }
            IfMatch::Strong(versions) => match versions.as_slice() {
                [] => Err(failed("a weak ETag matches no version; send it without W/")),
                [version] => Ok(Some(version)),
                [..] => Err(rpc::status::violation("if-match", "must be one ETag or *").into()),
            },
        }
    }

    /// Refuses to show a version that is none of those.
    pub(crate) fn admit(&self, method: &Method, etag: Option<&str>) -> Result<(), Failure> {
        match (self, etag) {
            (IfMatch::Strong(versions), Some(etag)) if method.is_safe() && !versions.iter().any(|one| one == etag) => {
                Err(failed("the resource has another version"))
            }
            (IfMatch::Strong(_) | IfMatch::Any, _) => Ok(()),
        }
    }
}

/// A refusal by the service: 412 when the version was that of `If-Match`.
pub(crate) fn refused(status: Status, version: Option<&str>) -> Failure {
    if version.is_some() && rpc::status::reason(&status) == "STALE_ETAG" {
        return Failure::with_http(StatusCode::PRECONDITION_FAILED, status);
    }
    status.into()
}

pub(crate) fn failed(message: &str) -> Failure {
    let status = rpc::status::error(Code::Aborted, "STALE_ETAG", message);
    Failure::with_http(StatusCode::PRECONDITION_FAILED, status)
}

/// The header `ETag` of a version; none when it has characters that an entity tag cannot have, or would be taken for the tag
/// of another version in a content coding.
pub(crate) fn tag(etag: &str) -> Option<HeaderValue> {
    let is_plain = etag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') && version(etag) == etag;
    HeaderValue::from_str(&format!("\"{etag}\"")).ok().filter(|_| is_plain)
}
