//! The schemas of messages and enums that operations name, each once.

use crate::{
    absence, annotation, comment,
    field::{self, View},
};
use prost_reflect::{EnumDescriptor, MessageDescriptor, OneofDescriptor};
use serde_json::{Map, Value, json};

#[derive(Debug, Default)]
pub(crate) struct Schemas {
    found: Map<String, Value>,
}

impl Schemas {
    pub(crate) fn finish(self) -> Map<String, Value> {
        self.found
    }

    /// A reference to the schema of a message, which is made when it is the first one.
    pub(crate) fn message(&mut self, message: &MessageDescriptor, view: View) -> Map<String, Value> {
        let name = match view {
            View::Input => format!("{}-Input", message.full_name()),
            View::Output => message.full_name().to_owned(),
        };
        if !self.found.contains_key(&name) {
            // The name first: a message may have itself inside.
            self.found.insert(name.clone(), Value::Null);
            let schema = self.object(message, view, &[]);
            self.found.insert(name.clone(), schema.into());
        }
        reference(&name)
    }

    /// A reference to the schema of an enum. A value without a meaning is written and taken like others.
    pub(crate) fn values(&mut self, kind: &EnumDescriptor) -> Map<String, Value> {
        if !self.found.contains_key(kind.full_name()) {
            self.found.insert(kind.full_name().to_owned(), values(kind));
        }
        reference(kind.full_name())
    }

    /// The schema of a message, without the fields called `left_out`.
    pub(crate) fn object(
        &mut self,
        message: &MessageDescriptor,
        view: View,
        left_out: &[String],
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
            properties.insert(field.json_name().to_owned(), field::schema(&field, view, self).into());
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

fn reference(name: &str) -> Map<String, Value> {
    Map::from_iter([("$ref".to_owned(), format!("#/components/schemas/{name}").into())])
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
