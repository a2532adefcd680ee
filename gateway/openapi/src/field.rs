//! The schema of one field: its type, its comment, and what annotations say of it.

use crate::{
    annotation::{self, Behavior},
    comment, constraint, scalar,
    schemas::{Schemas, View},
};
use prost_reflect::{FieldDescriptor, Kind};
use serde_json::{Map, Value};

/// The whole schema of a field.
pub(crate) fn schema(field: &FieldDescriptor, view: View, schemas: &mut Schemas) -> Map<String, Value> {
    let mut schema = leaf(field, view, schemas);
    let mut text = comment::text(field);
    let mut put = |name: &str, value: Value| drop(schema.insert(name.to_owned(), value));
    if annotation::has(field, Behavior::OutputOnly) || annotation::has(field, Behavior::Identifier) {
        put("readOnly", true.into());
    }
    if annotation::has(field, Behavior::InputOnly) || is_hidden(field, view) {
        put("writeOnly", true.into());
    }
    if annotation::is_deprecated(&field.options()) {
        put("deprecated", true.into());
    }
    if annotation::has(field, Behavior::Immutable) {
        text = comment::paragraphs(&[&text, "It cannot be changed."]);
    }
    if let Some(bounds) = schema.remove("description").as_ref().and_then(Value::as_str) {
        text = comment::paragraphs(&[&text, bounds]);
    }
    if !text.is_empty() {
        schema.insert("description".to_owned(), text.into());
    }
    schema
}

/// The type of a field, with the bounds of what is sent. Bounds that JSON Schema has no word for are its description.
pub(crate) fn leaf(field: &FieldDescriptor, view: View, schemas: &mut Schemas) -> Map<String, Value> {
    let mut schema = typed(field, view, schemas);
    if is_hidden(field, view) && field.kind() == Kind::String && !field.is_list() {
        schema.insert("format".to_owned(), "password".into());
    }
    if view == View::Input {
        constraint::apply(&mut schema, field, schemas.output);
    }
    schema
}

/// A secret is sent and never shown. Where a reply has one, as that of a token endpoint, showing it is its purpose.
fn is_hidden(field: &FieldDescriptor, view: View) -> bool {
    view == View::Input && annotation::is_secret(field)
}

fn typed(field: &FieldDescriptor, view: View, schemas: &mut Schemas) -> Map<String, Value> {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let values = kind(&entry.map_entry_value_field().kind(), view, schemas);
            let mut map = object([("type", "object".into()), ("additionalProperties", values.into())]);
            if let Some(names) = scalar::key(&entry.map_entry_key_field().kind()) {
                map.insert("propertyNames".to_owned(), names);
            }
            map
        }
        items if field.is_list() => object([("type", "array".into()), ("items", kind(&items, view, schemas).into())]),
        single => kind(&single, view, schemas),
    }
}

fn kind(kind: &Kind, view: View, schemas: &mut Schemas) -> Map<String, Value> {
    if let Some(schema) = scalar::schema(kind) {
        return schema;
    }
    match kind {
        Kind::Message(message) => schemas.message(message, view),
        Kind::Enum(values) => schemas.values(values),
        _ => Map::new(),
    }
}

/// Whether a reply always has the field: scalars, enums, lists and maps without presence are written when empty too.
pub(crate) fn is_always_written(field: &FieldDescriptor) -> bool {
    !field.supports_presence()
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
