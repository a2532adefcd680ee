//! Scalars and well-known types as ProtoJSON writes them.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

/// The message of `field` when its JSON is an object with one member per field; none for scalars, enums and the well-known
/// types, which have a JSON form of their own.
pub(crate) fn plain_message(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !message.full_name().starts_with("google.protobuf.") => Some(message),
        _ => None,
    }
}

/// The schema of a kind that needs no name; none for other messages and enums.
pub(crate) fn schema(kind: &Kind) -> Option<Map<String, Value>> {
    let schema = match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::String => json!({ "type": "string" }),
        Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
        Kind::Uint32 | Kind::Fixed32 => {
            json!({ "type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX })
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]+$" })
        }
        Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64", "pattern": "^[0-9]+$" }),
        Kind::Float => number("float"),
        Kind::Double => number("double"),
        Kind::Enum(kind) if kind.full_name() == "google.protobuf.NullValue" => json!({ "type": "null" }),
        Kind::Enum(_) => return None,
        Kind::Message(message) => well_known(message)?,
    };
    if let Value::Object(schema) = schema { Some(schema) } else { None }
}

/// JSON has no number for these three.
fn number(format: &str) -> Value {
    json!({ "anyOf": [
        { "type": "number", "format": format },
        { "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] },
    ] })
}

fn well_known(message: &MessageDescriptor) -> Option<Value> {
    let name = message.full_name().strip_prefix("google.protobuf.")?;
    Some(match name {
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" => json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$", "examples": ["1.5s"] }),
        "FieldMask" => json!({ "type": "string", "description": "Paths of fields, separated by commas." }),
        "Struct" => json!({ "type": "object", "additionalProperties": true }),
        "Value" => json!({ "description": "Any JSON value." }),
        "ListValue" => json!({ "type": "array", "items": {} }),
        "Empty" => json!({ "type": "object" }),
        "Any" => json!({
            "type": "object",
            "description": "A message of any type, which is named by `@type`.",
            "properties": { "@type": { "type": "string" } },
            "required": ["@type"],
            "additionalProperties": true,
        }),
        _ => return wrapped(message),
    })
}

/// A wrapper is its value, or null.
fn wrapped(message: &MessageDescriptor) -> Option<Value> {
    let value = message.get_field_by_name("value").filter(|_| message.full_name().ends_with("Value"))?;
    let mut inner = schema(&value.kind())?;
    match inner.get("type").cloned() {
        Some(name) => drop(inner.insert("type".to_owned(), json!([name, "null"]))),
        None => return Some(json!({ "anyOf": [inner, { "type": "null" }] })),
    }
    Some(inner.into())
}

/// What the names of a map's members look like; none when they are texts.
pub(crate) fn key(kind: &Kind) -> Option<Value> {
    match kind {
        Kind::String => None,
        Kind::Bool => Some(json!({ "enum": ["true", "false"] })),
        Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => Some(json!({ "pattern": "^[0-9]+$" })),
        _ => Some(json!({ "pattern": "^-?[0-9]+$" })),
    }
}
