//! The update mask of a PATCH without one (AIP-134): the fields that its body mentions.

use crate::{
    field::{lookup, plain_message},
    route::ETAG,
};
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

/// A mask as a caller writes it, in the one form that ProtoJSON knows: camelCase, separated by commas. The contract's own
/// spelling (`weight_grams`) and `*` are welcome too.
pub(crate) fn normal(json: Value) -> Result<Value, String> {
    let wrong = || "must be names of fields separated by commas, such as name,profile.bio".to_owned();
    let Value::String(text) = json else { return Err(wrong()) };
    let is_name = |path: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        path == "*" || (!path.is_empty() && path.bytes().all(fits))
    };
    let paths: Vec<&str> = text.split(',').map(str::trim).filter(|_| !text.is_empty()).collect();
    if !paths.iter().all(|path| is_name(path)) {
        return Err(wrong());
    }
    Ok(paths.into_iter().map(camel).collect::<Vec<_>>().join(",").into())
}

/// `weightGrams` of `weight_grams`.
fn camel(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut is_start = false;
    for character in path.chars() {
        match character {
            '_' => is_start = true,
            other if is_start => {
                out.push(other.to_ascii_uppercase());
                is_start = false;
            }
            other => out.push(other),
        }
    }
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
