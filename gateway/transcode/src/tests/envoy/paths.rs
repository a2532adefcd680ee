//! The value at the path of a fault: `lists.ints[2]`, `maps.texts["a"]`.

use serde_json::Value;

/// None when the path leads nowhere.
pub(super) fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() {
        return Some(value);
    }
    let fields = value.as_object();
    if let Some(rest) = path.strip_prefix('[') {
        if let Some(fields) = fields {
            // A key is written as Rust does.
            return fields.iter().find_map(|(key, value)| at(value, rest.strip_prefix(&format!("{key:?}]"))?));
        }
        let (index, rest) = rest.split_once(']')?;
        return at(value.get(index.parse::<usize>().ok()?)?, rest);
    }
    let path = path.strip_prefix('.').unwrap_or(path);
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let own = |key: &str| key == name || key == camel(name) || (name == "own_name" && key == "@own");
    at(fields?.iter().find(|(key, _)| own(key))?.1, rest)
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        out.push_str(&first.to_ascii_uppercase());
        out.push_str(rest);
    }
    out
}
