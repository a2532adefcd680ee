//! Headers of requests that are texts of their messages.

use crate::error::Failure;
use http::HeaderMap;
use transcode::Rpc;

/// The headers that the contract of `rpc` names, as far as the request has them, by names in small letters.
pub(crate) fn named<'a>(rpc: &'a Rpc, headers: &'a HeaderMap) -> Result<Vec<(&'a str, &'a str)>, Failure> {
    let mut found = Vec::new();
    for name in rpc.headers() {
        found.extend(text(headers, name)?.map(|text| (name, text)));
    }
    Ok(found)
}

/// The text of a header that may be there once.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        (Ok(_), Some(_)) => Err(rpc::status::violation(name, "must be sent once").into()),
        (Err(_), _) => Err(rpc::status::violation(name, "must be ASCII").into()),
    }
}
