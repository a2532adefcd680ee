//! The update mask of a PATCH without one (AIP-134): the fields that its body mentions.

use crate::field::{ETAG, lookup, plain_message};
use prost_reflect::MessageDescriptor;
use serde_json::{Map, Value};

/// Protobuf paths of the leaves of `json`, a resource of type `message`, without its etag and the paths in `bound`.
/// Lists, maps, null, well-known types and `google.type.*` are leaves. An empty object mentions nothing.
pub(crate) fn paths(message: &MessageDescriptor, json: &Map<String, Value>, bound: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    collect(message, json, "", &mut out);
    out.retain(|path| path != ETAG && !bound.contains(path));
    out
}

fn collect(message: &MessageDescriptor, json: &Map<String, Value>, prefix: &str, out: &mut Vec<String>) {
    for (key, value) in json {
        let Some(field) = lookup(message, key) else { continue };
        let path = format!("{prefix}{}", field.name());
        let nested = plain_message(&field)
            .filter(|inner| !field.is_list() && !field.is_map() && !inner.full_name().starts_with("google.type."));
        match (nested, value) {
            (Some(inner), Value::Object(fields)) => collect(&inner, fields, &format!("{path}."), out),
            _ => out.push(path),
        }
    }
}
