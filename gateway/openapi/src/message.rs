//! The schemas of whole messages and enums.

use crate::{
    absence,
    annotation::{self, Behavior},
    comment, field,
    schemas::{Output, Schemas, View, Wanted},
};
use prost_reflect::{EnumDescriptor, EnumValueDescriptor, MessageDescriptor, OneofDescriptor};
use serde_json::{Map, Value, json};

/// Makes all schemas that were wanted, and those that these want.
pub(crate) fn complete(mut schemas: Schemas) -> Map<String, Value> {
    let mut found = Map::new();
    while let Some((name, wanted)) = schemas.next() {
        let schema = match wanted {
            Wanted::Message(message, view) => object(&message, view, &[], &mut schemas).into(),
            Wanted::Enum(kind) => values(&kind, schemas.output),
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
            View::Output if schemas.is_sparse(message.full_name()) => annotation::has(&field, Behavior::Required),
            View::Output => schemas.output.shows_defaults && field::is_always_written(&field),
        };
        if is_required {
            required.push(schemas.output.name(&field));
        }
        properties.insert(schemas.output.name(&field), field::schema(&field, view, schemas).into());
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
    let text = comment::paragraphs(&[&comment::text(message), &exclusions(message, schemas.output)]);
    if !text.is_empty() {
        put("description", text.into());
    }
    schema
}

fn values(kind: &EnumDescriptor, output: Output) -> Value {
    let is_numbers = output.numbers_enums;
    let shown = |value: &EnumValueDescriptor| if is_numbers { json!(value.number()) } else { json!(value.name()) };
    let values: Vec<Value> = kind.values().map(|value| shown(&value)).collect();
    let line = |value: EnumValueDescriptor| match (is_numbers, comment::text(&value)) {
        (false, text) if text.is_empty() => None,
        (false, text) => Some(format!("- `{}`: {text}", value.name())),
        (true, text) => Some(format!("- {}: `{}`. {text}", value.number(), value.name()).trim_end().to_owned()),
    };
    let list = kind.values().filter_map(line).collect::<Vec<_>>().join("\n");
    let of = if is_numbers { "integer" } else { "string" };
    let title = title(kind.full_name(), kind.package_name());
    let text = comment::paragraphs(&[&comment::text(kind), &list]);
    json!({ "title": title, "type": of, "enum": values, "description": text })
}

/// The name within the package: `Order.State`.
fn title<'a>(full_name: &'a str, package: &str) -> &'a str {
    full_name.strip_prefix(package).and_then(|name| name.strip_prefix('.')).unwrap_or(full_name)
}

/// What the oneofs of a message say, in words: a keyword for it would make unions that code generators do not read.
fn exclusions(message: &MessageDescriptor, output: Output) -> String {
    let oneofs = message.oneofs().filter(|oneof| !oneof.is_synthetic());
    let sentence = |oneof: OneofDescriptor| {
        let names: Vec<String> = oneof.fields().map(|field| format!("`{}`", output.name(&field))).collect();
        let bound = if annotation::is_required(&oneof) { "Exactly" } else { "At most" };
        format!("{bound} one of {} is there.", names.join(", "))
    };
    oneofs.map(sentence).collect::<Vec<_>>().join("\n\n")
}
