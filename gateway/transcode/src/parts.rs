//! What a request brings besides its method and path.

use crate::error::Error;

/// What a request brings besides its method and path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// The query, without `?`, percent-encoded.
    pub query: &'a str,
    /// Query parameters that are skipped where they are not fields of the request: names, and starts of names with `*`.
    pub ignored_parameters: &'a [String],
    pub idempotency_key: Option<&'a str>,
    /// The version that may be changed, from the header `If-Match`. For routes that [take one](crate::Route::takes_etag).
    pub etag: Option<&'a str>,
    /// Headers that [the contract names](crate::Rpc::headers), in small letters, with their values.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Body<'a>,
}

/// A body and its form.
#[derive(Clone, Copy, Debug, Default)]
pub enum Body<'a> {
    #[default]
    Empty,
    /// `application/json`.
    Json(&'a [u8]),
    /// `application/x-www-form-urlencoded`.
    Form(&'a [u8]),
}

impl<'a> Body<'a> {
    /// Names the form of `bytes`. JSON when there is no `content_type`; its parameters don't matter. Without bytes there
    /// is no form, whatever the type. JSON under the type of forms, which curl puts on every body, is refused by its type.
    pub fn new(content_type: Option<&str>, bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Body::Empty);
        }
        let Some(content_type) = content_type else { return Ok(Body::Json(bytes)) };
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Ok(Body::Json(bytes)),
            other if other.starts_with("application/") && other.ends_with("+json") => Ok(Body::Json(bytes)),
            "application/x-www-form-urlencoded" if !is_json(bytes) => Ok(Body::Form(bytes)),
            _ => Err(Error::MediaType(content_type.to_owned())),
        }
    }
}

/// Whether a body begins as an object or a list of JSON does, which no name of a field does.
fn is_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}
