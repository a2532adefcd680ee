//! The bounds of `buf.validate` as keywords of JSON Schema. What JSON Schema has no keyword for is said in the description.

use crate::{annotation, schemas::Output};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, Value as Reflected};
use serde_json::{Map, Value, json};

/// The rules of a field that are about its value, as one set: `string`, `int32`, `repeated`, …
#[derive(Debug)]
pub(crate) struct Set {
    /// The name of the set: `string`.
    pub kind: String,
    pub rules: DynamicMessage,
}

/// One rule of a set: `string`, `max_len`.
#[derive(Clone, Copy)]
struct Rule<'a> {
    set: &'a str,
    name: &'a str,
}

/// The number of `buf.validate.Ignore.IGNORE_ALWAYS`.
const IGNORE_ALWAYS: i32 = 3;

/// Adds the bounds of a field to its schema.
pub(crate) fn apply(schema: &mut Map<String, Value>, field: &FieldDescriptor, output: Output) {
    let is_ignored = |rules: &DynamicMessage| ignore(rules) == IGNORE_ALWAYS;
    if let Some(rules) = annotation::constraints(field).filter(|rules| !is_ignored(rules)) {
        add(schema, &rules, &field.kind(), output);
    }
}

fn add(schema: &mut Map<String, Value>, rules: &DynamicMessage, kind: &Kind, output: Output) {
    for set in sets(rules) {
        let mut rules: Vec<_> = set.rules.fields().collect();
        // The least before the most, in words too.
        rules.sort_by(|(one, _), (other, _)| one.name().cmp(other.name()));
        for (rule, value) in rules {
            let rule = Rule { set: &set.kind, name: rule.name() };
            match (rule.set, rule.name, value) {
                ("repeated", "items", Reflected::Message(inner)) => nested(schema, "items", inner, kind, output),
                ("map", _, Reflected::Message(inner)) => map_rule(schema, rule.name, inner, kind, output),
                ("enum", name, _) => choice(schema, name, &named(value, kind, output)),
                _ => keyword(schema, rule, value),
            }
        }
    }
    for message in cel(rules) {
        say(schema, &message);
    }
}

/// Bounds of the items of a list, or of the names or values of a map.
fn nested(schema: &mut Map<String, Value>, at: &str, rules: &DynamicMessage, kind: &Kind, output: Output) {
    if let Some(Value::Object(inner)) = schema.get_mut(at) {
        add(inner, rules, kind, output);
    }
}

fn map_rule(schema: &mut Map<String, Value>, rule: &str, rules: &DynamicMessage, kind: &Kind, output: Output) {
    let Kind::Message(entry) = kind else { return };
    match rule {
        "keys" => {
            schema.entry("propertyNames").or_insert_with(|| json!({}));
            nested(schema, "propertyNames", rules, &entry.map_entry_key_field().kind(), output);
        }
        "values" => nested(schema, "additionalProperties", rules, &entry.map_entry_value_field().kind(), output),
        _ => {}
    }
}

fn keyword(schema: &mut Map<String, Value>, rule: Rule<'_>, value: &Reflected) {
    let mut put = |name: &str, value: Value| drop(schema.insert(name.to_owned(), value));
    match (rule.set, rule.name) {
        ("string", "len") => {
            put("minLength", plain(value));
            put("maxLength", plain(value));
        }
        ("string", "min_len") => put("minLength", plain(value)),
        ("string", "max_len") => put("maxLength", plain(value)),
        ("repeated", "min_items") => put("minItems", plain(value)),
        ("repeated", "max_items") => put("maxItems", plain(value)),
        ("repeated", "unique") => put("uniqueItems", plain(value)),
        ("map", "min_pairs") => put("minProperties", plain(value)),
        ("map", "max_pairs") => put("maxProperties", plain(value)),
        ("string", name) => text(schema, name, value),
        ("bytes", "min_len") => say(schema, &format!("At least {} bytes.", plain(value))),
        ("bytes", "max_len") => say(schema, &format!("At most {} bytes.", plain(value))),
        ("bytes", "len") => say(schema, &format!("{} bytes.", plain(value))),
        ("duration", name) => duration(schema, name, value),
        ("timestamp", "lt_now") => say(schema, "In the past."),
        ("timestamp", "gt_now") => say(schema, "In the future."),
        ("bool", "const") => put("const", plain(value)),
        (set, name) if set.ends_with("64") => long(schema, name, value),
        (set, name) if set.ends_with("32") || matches!(set, "float" | "double") => number(schema, name, value),
        _ => {}
    }
}

fn text(schema: &mut Map<String, Value>, name: &str, value: &Reflected) {
    let literal = || regex::escape(value.as_str().unwrap_or_default());
    match name {
        "pattern" => pattern(schema, value.as_str().unwrap_or_default()),
        "prefix" => pattern(schema, &format!("^{}", literal())),
        "suffix" => pattern(schema, &format!("{}$", literal())),
        "contains" => pattern(schema, &literal()),
        "email" | "hostname" | "ipv4" | "ipv6" | "uri" | "uuid" => {
            drop(schema.insert("format".to_owned(), name.into()))
        }
        "uri_ref" => drop(schema.insert("format".to_owned(), "uri-reference".into())),
        "ip" => say(schema, "An IP address."),
        "max_bytes" => say(schema, &format!("At most {} bytes of UTF-8.", plain(value))),
        "min_bytes" => say(schema, &format!("At least {} bytes of UTF-8.", plain(value))),
        _ => choice(schema, name, &plain(value)),
    }
}

/// A further pattern stands beside the first one.
fn pattern(schema: &mut Map<String, Value>, pattern: &str) {
    if !schema.contains_key("pattern") {
        schema.insert("pattern".to_owned(), pattern.into());
    } else if let Value::Array(more) = schema.entry("allOf").or_insert_with(|| json!([])) {
        more.push(json!({ "pattern": pattern }));
    }
}

fn number(schema: &mut Map<String, Value>, name: &str, value: &Reflected) {
    let keyword = match name {
        "gt" => "exclusiveMinimum",
        "gte" => "minimum",
        "lt" => "exclusiveMaximum",
        "lte" => "maximum",
        _ => return choice(schema, name, &plain(value)),
    };
    schema.insert(keyword.to_owned(), plain(value));
}

/// 64 bits are a text in JSON: its pattern tells the sign, and words tell other bounds.
fn long(schema: &mut Map<String, Value>, name: &str, value: &Reflected) {
    let bound = plain(value);
    let pattern = match (name, bound.as_i64()) {
        ("gt", Some(0)) | ("gte", Some(1)) => Some("^0*[1-9][0-9]*$"),
        ("gt", Some(-1)) | ("gte", Some(0)) => Some("^[0-9]+$"),
        _ => None,
    };
    if let Some(pattern) = pattern {
        schema.insert("pattern".to_owned(), pattern.into());
        return;
    }
    match name {
        "gt" => say(schema, &format!("Above {bound}.")),
        "gte" => say(schema, &format!("At least {bound}.")),
        "lt" => say(schema, &format!("Below {bound}.")),
        "lte" => say(schema, &format!("At most {bound}.")),
        _ => choice(schema, name, &quoted(bound)),
    }
}

/// A number, or each number of a list, as the text that stands for it in JSON.
fn quoted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(quoted).collect(),
        Value::Number(number) => number.to_string().into(),
        other => other,
    }
}

fn duration(schema: &mut Map<String, Value>, name: &str, value: &Reflected) {
    let member = |name| value.as_message().and_then(|value| value.get_field_by_name(name).map(|value| plain(&value)));
    let (seconds, nanos) = (member("seconds").and_then(|value| value.as_i64()), member("nanos"));
    let fraction = nanos.and_then(|value| value.as_i64()).filter(|nanos| *nanos > 0);
    let fraction = fraction.map_or_else(String::new, |nanos| format!(".{nanos:09}").trim_end_matches('0').to_owned());
    let bound = format!("{}{fraction} s", seconds.unwrap_or_default());
    match name {
        "gt" => say(schema, &format!("Above {bound}.")),
        "gte" => say(schema, &format!("At least {bound}.")),
        "lt" => say(schema, &format!("Below {bound}.")),
        "lte" => say(schema, &format!("At most {bound}.")),
        _ => {}
    }
}

/// Values that a field must, may or must not have.
fn choice(schema: &mut Map<String, Value>, name: &str, values: &Value) {
    match name {
        "const" => drop(schema.insert("const".to_owned(), values.clone())),
        "in" => drop(schema.insert("enum".to_owned(), values.clone())),
        "not_in" => drop(schema.insert("not".to_owned(), json!({ "enum": values }))),
        _ => {}
    }
}

/// The numbers of an enum's values as they are written.
fn named(value: &Reflected, kind: &Kind, output: Output) -> Value {
    let Kind::Enum(kind) = kind else { return Value::Null };
    if output.numbers_enums {
        return plain(value);
    }
    let name = |number: &Reflected| {
        let number = number.as_i32().unwrap_or_default();
        kind.get_value(number).map_or_else(|| number.into(), |value| Value::from(value.name()))
    };
    value.as_list().map_or_else(|| name(value), |numbers| numbers.iter().map(name).collect())
}

/// A value of a rule as JSON.
pub(crate) fn plain(value: &Reflected) -> Value {
    match value {
        Reflected::Bool(value) => (*value).into(),
        Reflected::I32(value) | Reflected::EnumNumber(value) => (*value).into(),
        Reflected::I64(value) => (*value).into(),
        Reflected::U32(value) => (*value).into(),
        Reflected::U64(value) => (*value).into(),
        Reflected::F32(value) => (*value).into(),
        Reflected::F64(value) => (*value).into(),
        Reflected::String(value) => value.as_str().into(),
        Reflected::List(values) => values.iter().map(plain).collect(),
        Reflected::Bytes(_) | Reflected::Message(_) | Reflected::Map(_) => Value::Null,
    }
}

/// Adds a sentence to the description.
fn say(schema: &mut Map<String, Value>, sentence: &str) {
    let before = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let text = if before.is_empty() { sentence.to_owned() } else { format!("{before} {sentence}") };
    schema.insert("description".to_owned(), text.into());
}

/// The sets of rules of a field; one, unless the rules are of a later version of `buf.validate`.
pub(crate) fn sets(rules: &DynamicMessage) -> Vec<Set> {
    let set = |(field, value): (FieldDescriptor, &Reflected)| {
        let rules = value.as_message()?.clone();
        Some(Set { kind: field.name().to_owned(), rules })
    };
    rules.fields().filter_map(set).collect()
}

/// The sentences of a field's own expressions.
fn cel(rules: &DynamicMessage) -> Vec<String> {
    let rules = rules.get_field_by_name("cel");
    let messages = rules.as_deref().and_then(Reflected::as_list).unwrap_or_default().iter();
    let text = |rule: &Reflected| Some(rule.as_message()?.get_field_by_name("message")?.as_str()?.to_owned());
    messages.filter_map(text).filter(|text| !text.is_empty()).collect()
}

/// The number of the `buf.validate.Ignore` of a field.
pub(crate) fn ignore(rules: &DynamicMessage) -> i32 {
    rules.get_field_by_name("ignore").and_then(|value| value.as_enum_number()).unwrap_or_default()
}
