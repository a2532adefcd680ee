//! The schemas of whole messages and enums.

use crate::{
    absence, annotation, comment, field,
    schemas::{Schemas, View, Wanted},
};
use prost_reflect::{EnumDescriptor, MessageDescriptor, OneofDescriptor};
use serde_json::{Map, Value, json};

/// Makes all schemas that were wanted, and those that these want.
pub(crate) fn complete(mut schemas: Schemas) -> Map<String, Value> {
    let mut found = Map::new();
    while let Some((name, wanted)) = schemas.next() {
        let schema = match wanted {
            Wanted::Message(message, view) => object(&message, view, &[], &mut schemas).into(),
            Wanted::Enum(kind) => values(&kind),
        };
        found.insert(name, schema);
    }
    found
}

/// The schema of a message, without the fields called `left_out`.
pub(crate) fn object(
    message: &MessageDescriptor,
    view: View,
    left_out: &[String],
    schemas: &mut Schemas,
) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in message.fields().filter(|field| !left_out.iter().any(|name| name == field.name())) {
        let is_required = match view {
            View::Input => absence::is_refused(&field),
            View::Output => field::is_always_written(&field),
        };
        if is_required {
            required.push(field.json_name().to_owned());
        }
        properties.insert(field.json_name().to_owned(), field::schema(&field, view, schemas).into());
    }
    let mut schema = Map::new();
    let mut put = |name: &str, value: Value| drop(schema.insert(name.to_owned(), value));
    put("title", title(message.full_name(), message.package_name()).into());
    put("type", "object".into());
    put("properties", properties.into());
    if !required.is_empty() {
        put("required", json!(required));
    }
    if view == View::Input {
        put("additionalProperties", false.into());
    }
    if annotation::is_deprecated(&message.options()) {
        put("deprecated", true.into());
    }
    let text = comment::paragraphs(&[&comment::text(message), &exclusions(message)]);
    if !text.is_empty() {
        put("description", text.into());
    }
    schema
}

fn values(kind: &EnumDescriptor) -> Value {
    let names: Vec<String> = kind.values().map(|value| value.name().to_owned()).collect();
    let lines = kind.values().map(|value| (value.name().to_owned(), comment::text(&value)));
    let lines = lines.filter(|(_, text)| !text.is_empty()).map(|(name, text)| format!("- `{name}`: {text}"));
    let list = lines.collect::<Vec<_>>().join("\n");
    let title = title(kind.full_name(), kind.package_name());
    let text = comment::paragraphs(&[&comment::text(kind), &list]);
    json!({ "title": title, "type": "string", "enum": names, "description": text })
}

/// The name within the package: `Order.State`.
fn title<'a>(full_name: &'a str, package: &str) -> &'a str {
    full_name.strip_prefix(package).and_then(|name| name.strip_prefix('.')).unwrap_or(full_name)
}

/// What the oneofs of a message say, in words: a keyword for it would make unions that code generators do not read.
fn exclusions(message: &MessageDescriptor) -> String {
    let oneofs = message.oneofs().filter(|oneof| !oneof.is_synthetic());
    let sentence = |oneof: OneofDescriptor| {
        let names: Vec<String> = oneof.fields().map(|field| format!("`{}`", field.json_name())).collect();
        let bound = if annotation::is_required(&oneof) { "Exactly" } else { "At most" };
        format!("{bound} one of {} is there.", names.join(", "))
    };
    oneofs.map(sentence).collect::<Vec<_>>().join("\n\n")
}
