//! A field mask as callers write it.

use serde_json::Value;

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
