//! JSON bodies: strict parsing, and binding of their keys to the fields of a message.

use crate::{
    error::Reason,
    field::{exclusive, lookup, plain_message, repeats, set_leaf},
    report::{Claim, Report, Source, join},
};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value as Reflected,
};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, error::Category};
use std::fmt;

/// Parses one JSON value and nothing after it. An object with the same key twice is refused. Nesting is bounded by
/// serde_json at 127 levels. The error says in words what is wrong, with line and column.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let parsed = serde_json::from_slice::<Strict>(bytes);
    parsed.map(|strict| strict.0).map_err(|error| match error.classify() {
        Category::Data => format!("is malformed JSON: {error}"),
        Category::Eof => format!("is malformed JSON: it breaks off at line {} column {}", error.line(), error.column()),
        Category::Syntax | Category::Io => {
            format!("is malformed JSON at line {} column {}", error.line(), error.column())
        }
    })
}

/// Binds each key of `json` to the field that it names; `at` is the path of `message` in the request.
pub(crate) fn object(message: &mut DynamicMessage, json: Map<String, Value>, at: &str, report: &mut Report) {
    for (key, value) in json {
        let Some(field) = lookup(&message.descriptor(), &key) else {
            report.fault(&join(at, &key), "is not a field of this message", Reason::UnknownField);
            continue;
        };
        let path = join(at, field.name());
        match report.claim(&path, Source::Body, false) {
            Claim::First => bind(message, &field, value, &path, report),
            Claim::Again(first) if !repeats(message, &field, &value) => report.conflict(&path, first, Source::Body),
            Claim::Again(_) | Claim::Refused => {}
        }
    }
}

/// Binds `json` to `field`, which is at `path` of the request.
pub(crate) fn bind(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    json: Value,
    path: &str,
    report: &mut Report,
) {
    if json.is_null() && !takes_null(field) {
        return;
    }
    if let Err(problem) = exclusive(message, field) {
        report.fault(path, problem, Reason::InvalidValue);
        return;
    }
    if field.is_list() {
        return list(message, field, json, path, report);
    }
    if field.is_map() {
        return map(message, field, json, path, report);
    }
    match (plain_message(field), json) {
        (Some(_), Value::Object(inner)) => match message.get_field_mut(field) {
            Reflected::Message(nested) => object(nested, inner, path, report),
            _ => report.fault(path, "is not a message", Reason::InvalidValue),
        },
        (Some(_), _) => report.fault(path, "must be an object", Reason::InvalidValue),
        (None, json) => leaf(message, field, json, path, report),
    }
}

fn list(message: &mut DynamicMessage, field: &FieldDescriptor, json: Value, path: &str, report: &mut Report) {
    let Value::Array(items) = json else {
        return report.fault(path, "must be a list", Reason::InvalidValue);
    };
    for (index, item) in items.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        match plain_message(field) {
            // One by one, so that a fault names its place in the list.
            None => leaf(message, field, Value::Array(vec![item]), &path, report),
            Some(descriptor) => {
                if let Some(element) = element(descriptor, item, &path, report)
                    && let Reflected::List(list) = message.get_field_mut(field)
                {
                    list.push(element);
                }
            }
        }
    }
}

/// Maps with plain messages as values are bound entry by entry, others by ProtoJSON as a whole.
fn map(message: &mut DynamicMessage, field: &FieldDescriptor, json: Value, path: &str, report: &mut Report) {
    let Kind::Message(entry) = field.kind() else { return };
    let (string_keys, values) = (entry.map_entry_key_field().kind() == Kind::String, entry.map_entry_value_field());
    match (plain_message(&values), json) {
        (Some(descriptor), Value::Object(entries)) if string_keys => {
            for (key, item) in entries {
                let path = format!("{path}[{key:?}]");
                if let Some(element) = element(descriptor.clone(), item, &path, report)
                    && let Reflected::Map(map) = message.get_field_mut(field)
                {
                    map.insert(MapKey::String(key), element);
                }
            }
        }
        (_, json) => leaf(message, field, json, path, report),
    }
}

fn element(descriptor: MessageDescriptor, json: Value, path: &str, report: &mut Report) -> Option<Reflected> {
    let Value::Object(inner) = json else {
        report.fault(path, "must be an object", Reason::InvalidValue);
        return None;
    };
    let mut message = DynamicMessage::new(descriptor);
    object(&mut message, inner, path, report);
    Some(Reflected::Message(message))
}

fn leaf(message: &mut DynamicMessage, field: &FieldDescriptor, json: Value, path: &str, report: &mut Report) {
    if let Err(problem) = set_leaf(message, field, json) {
        report.fault(path, problem, Reason::InvalidValue);
    }
}

fn takes_null(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(message) => message.full_name() == "google.protobuf.Value",
        Kind::Enum(kind) => kind.full_name() == "google.protobuf.NullValue",
        _ => false,
    }
}

/// A JSON value without duplicate keys.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree).map(Strict)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            // Parsers disagree about which of two equal keys counts; a proxy and the service must not read two
            // orders.
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} appears twice")));
            }
            let Strict(value) = entries.next_value()?;
            object.insert(key, value);
        }
        Ok(object.into())
    }
}
