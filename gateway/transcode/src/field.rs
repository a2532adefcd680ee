//! Fields by name or JSON name, and the setting of leaves: scalars, enums and well-known types.

use crate::{mask_text, number};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value as Reflected};
use serde_json::{Map, Value};

/// The field that holds the version of a resource, by AIP-154.
pub(crate) const ETAG: &str = "etag";

/// A field path names at most this many fields.
const MAX_PATH: usize = 32;

/// The field called `name`, in its JSON or protobuf spelling.
pub(crate) fn lookup(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
}

/// The message of `field` when its JSON is an object with one key per field; none for scalars, enums, and the
/// well-known types, which have a JSON form of their own.
pub(crate) fn plain_message(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !message.full_name().starts_with("google.protobuf.") => Some(message),
        _ => None,
    }
}

/// The fields along the dotted `path`: singular messages down to a leaf, which may be repeated.
pub(crate) fn resolve(message: &MessageDescriptor, path: &str) -> Option<Vec<FieldDescriptor>> {
    let mut fields = Vec::new();
    let mut within = Some(message.clone());
    for name in path.split('.') {
        let field = lookup(&within?, name)?;
        within = if field.is_list() || field.is_map() { None } else { plain_message(&field) };
        fields.push(field);
        if fields.len() > MAX_PATH {
            return None;
        }
    }
    let leaf = fields.last()?;
    (!leaf.is_map() && plain_message(leaf).is_none()).then_some(fields)
}

/// The protobuf spelling of a field path.
pub(crate) fn spell(path: &[FieldDescriptor]) -> String {
    path.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".")
}

/// Sets the leaf at `path` from the text of a path, query or form; adds to it when it is repeated.
pub(crate) fn set_text(message: &mut DynamicMessage, path: &[FieldDescriptor], text: &str) -> Result<(), String> {
    let Some((field, rest)) = path.split_first() else { return Ok(()) };
    exclusive(message, field)?;
    if rest.is_empty() {
        let value = from_text(field, text)?;
        let value = if field.is_list() { Value::Array(vec![value]) } else { value };
        return set_leaf(message, field, value);
    }
    match message.get_field_mut(field) {
        Reflected::Message(inner) => set_text(inner, rest, text),
        _ => Err("is not a message".to_owned()),
    }
}

/// Whether `text` is the value that the leaf at `path` has already.
pub(crate) fn repeats_text(message: &DynamicMessage, path: &[FieldDescriptor], text: &str) -> bool {
    let mut other = DynamicMessage::new(message.descriptor());
    set_text(&mut other, path, text).is_ok() && at(&other, path) == at(message, path)
}

/// Whether `json` is null, or the value that `field` has already.
pub(crate) fn repeats(message: &DynamicMessage, field: &FieldDescriptor, json: &Value) -> bool {
    let mut other = DynamicMessage::new(message.descriptor());
    let is_set = |other: &mut DynamicMessage| set_leaf(other, field, json.clone()).is_ok();
    json.is_null() || (is_set(&mut other) && other.get_field(field) == message.get_field(field))
}

fn at(message: &DynamicMessage, path: &[FieldDescriptor]) -> Option<Reflected> {
    let (field, rest) = path.split_first()?;
    match message.get_field(field).as_ref() {
        Reflected::Message(inner) if !rest.is_empty() => at(inner, rest),
        value => rest.is_empty().then(|| value.clone()),
    }
}

/// Sets a leaf from its JSON by the rules of ProtoJSON; adds to it when it is repeated.
pub(crate) fn set_leaf(message: &mut DynamicMessage, field: &FieldDescriptor, json: Value) -> Result<(), String> {
    let json = if is_mask(field) { mask_text::normal(json)? } else { number::exact(&field.kind(), json) };
    // ProtoJSON's own parser takes the value, so that one place decides what a valid text of each type is.
    let object = Value::Object(Map::from_iter([(field.json_name().to_owned(), json)]));
    let parsed = DynamicMessage::deserialize(message.descriptor(), object).map_err(|_| expected(field))?;
    match parsed.get_field(field).into_owned() {
        Reflected::List(more) => match message.get_field_mut(field) {
            Reflected::List(list) => list.extend(more),
            _ => return Err("is not a list".to_owned()),
        },
        value if parsed.has_field(field) => message.set_field(field, value),
        _ => {}
    }
    Ok(())
}

fn is_mask(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(message) if message.full_name() == "google.protobuf.FieldMask")
}

/// What would fit `field`, for a person.
fn expected(field: &FieldDescriptor) -> String {
    if field.is_map() {
        return "must be an object whose values all fit".to_owned();
    }
    match field.kind() {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => within(i32::MIN, i32::MAX),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => within(i64::MIN, i64::MAX),
        Kind::Uint32 | Kind::Fixed32 => within(u32::MIN, u32::MAX),
        Kind::Uint64 | Kind::Fixed64 => within(u64::MIN, u64::MAX),
        Kind::Double | Kind::Float => "must be a number".to_owned(),
        Kind::Bool => "must be true or false".to_owned(),
        Kind::String => "must be a text".to_owned(),
        Kind::Bytes => "must be a text in base64".to_owned(),
        Kind::Enum(kind) => {
            // `…_UNSPECIFIED` stands for no value, and naming it would help nobody.
            let values = kind.values().filter(|value| !value.name().ends_with("_UNSPECIFIED"));
            format!("must be one of {}", values.map(|value| value.name().to_owned()).collect::<Vec<_>>().join(", "))
        }
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => "must be a time such as 2026-01-31T12:00:00Z".to_owned(),
            "google.protobuf.Duration" => "must be a duration in seconds such as 1.5s".to_owned(),
            _ => format!("must be a {}", message.name()),
        },
    }
}

fn within(low: impl std::fmt::Display, high: impl std::fmt::Display) -> String {
    format!("must be a whole number from {low} to {high}")
}

/// Refuses a second member of a oneof.
pub(crate) fn exclusive(message: &DynamicMessage, field: &FieldDescriptor) -> Result<(), String> {
    let Some(oneof) = field.containing_oneof() else { return Ok(()) };
    let other = oneof.fields().find(|other| other != field && message.has_field(other));
    other.map_or(Ok(()), |other| Err(format!("excludes {}, which has a value too", other.json_name())))
}

fn from_text(field: &FieldDescriptor, text: &str) -> Result<Value, String> {
    let boolean = || match text {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        _ => Err("must be true or false".to_owned()),
    };
    match field.kind() {
        Kind::Bool => boolean(),
        Kind::Message(message) if message.full_name() == "google.protobuf.BoolValue" => boolean(),
        Kind::Enum(_) => Ok(text.parse::<i32>().map_or_else(|_| text.into(), Value::from)),
        _ => Ok(text.into()),
    }
}
