//! A field mask as callers write it, and as ProtoJSON does.

/// The protobuf paths of a mask: `weight_grams` of `weightGrams`. The contract's own spelling and `*` are welcome too.
pub(crate) fn paths(text: &str) -> Option<Vec<String>> {
    let paths: Vec<&str> = text.split(',').map(str::trim).filter(|_| !text.is_empty()).collect();
    paths.iter().all(|path| is_path(path)).then(|| paths.into_iter().map(snake).collect())
}

fn is_path(path: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    path == "*" || (!path.is_empty() && path.bytes().all(fits))
}

fn snake(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 4);
    for character in path.chars() {
        if character.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

/// Writes a path as ProtoJSON does: `weightGrams`. False when it would not be read as the same path.
pub(crate) fn write_camel(out: &mut String, path: &str) -> bool {
    if !is_path(path) {
        return false;
    }
    let mut is_after_underscore = false;
    for character in path.chars() {
        match character {
            '_' if is_after_underscore => return false,
            '_' => is_after_underscore = true,
            'a'..='z' if is_after_underscore => {
                out.push(character.to_ascii_uppercase());
                is_after_underscore = false;
            }
            'A'..='Z' => return false,
            _ if is_after_underscore => return false,
            other => out.push(other),
        }
    }
    !is_after_underscore
}
