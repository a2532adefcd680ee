//! What a request carries beside its body: parameters of the path and of the query, and headers.

use crate::{
    absence, annotation,
    binding::{Binding, version},
    comment, constraint,
    error::Error,
    field, scalar,
    schemas::{Output, Schemas, View},
    template::{self, camel},
};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

/// A parameter of the query names at most this many fields, as the router has it.
const MAX_DEPTH: usize = 32;

pub(crate) fn all(binding: &Binding, schemas: &mut Schemas) -> Result<Vec<Value>, Error> {
    let mut found = Vec::new();
    for parameter in &binding.path.parameters {
        found.push(path(binding, parameter, schemas)?);
    }
    let body = binding.body_field()?;
    if binding.rule.body != "*" {
        let bound =
            binding.path.bound.iter().map(|path| binding.shown(path, schemas.output)).collect::<Result<_, _>>()?;
        let mut query = Query { bound, found: Vec::new(), open: Vec::new() };
        for field in binding.rpc.input().fields().filter(|field| Some(field) != body.as_ref()) {
            query.collect(&field, "", schemas);
        }
        found.append(&mut query.found);
    }
    if let Some(field) = key(&binding.rpc.input()) {
        let text = comment::text(&field);
        let text = if text.is_empty() { "Key that makes a repeated request safe." } else { &text };
        found.push(header("Idempotency-Key", text, key_schema(&field, schemas.output)));
    }
    for field in binding.rpc.input().fields() {
        if let Some(name) = annotation::header(&field) {
            let schema = field::leaf(&field, View::Input, schemas);
            found.push(header(&name, &comment::text(&field), schema.into()));
        }
    }
    if takes_version(binding, body.as_ref()) {
        let text = "The ETag of the version that may be changed, in quotes; 412 when the resource has another one.";
        found.push(header("If-Match", text, json!({ "type": "string" })));
    }
    if binding.answers_not_modified()? {
        let text =
            "The ETags of versions that the caller has, in quotes: 304 without a body when one of them is current.";
        found.push(header("If-None-Match", text, json!({ "type": "string" })));
    }
    if binding.rpc.is_server_streaming() && binding.rule.method == "GET" {
        let text =
            "The id of the last event that was seen, when an event stream was cut off: that event is not sent again.";
        found.push(header("Last-Event-ID", text, json!({ "type": "string" })));
    }
    Ok(found)
}

fn header(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "description": description, "schema": schema })
}

fn path(binding: &Binding, parameter: &template::Parameter, schemas: &mut Schemas) -> Result<Value, Error> {
    let mut schema = json!({ "type": "string", "minLength": 1 });
    let mut text = String::new();
    if let Some(name) = &parameter.field {
        let field = binding.request_field(name)?;
        text = comment::text(&field);
        match &parameter.pattern {
            None if !parameter.is_open => schema = field::leaf(&field, View::Input, schemas).into(),
            None => {}
            Some(pattern) => {
                text = comment::paragraphs(&[&text, &format!("A part of `{}`: `{pattern}`.", camel(name))])
            }
        }
    }
    if parameter.is_open {
        text = comment::paragraphs(&[&text, "It may have several segments, with slashes between them."]);
    }
    Ok(json!({ "name": parameter.name, "in": "path", "required": true, "description": text, "schema": schema }))
}

/// The header that carries this field, for requests that have it.
fn key(input: &MessageDescriptor) -> Option<FieldDescriptor> {
    input.get_field_by_name("request_id").filter(|field| !field.is_list() && field.kind() == Kind::String)
}

fn key_schema(field: &FieldDescriptor, output: Output) -> Value {
    let mut schema = scalar::schema(&field.kind()).unwrap_or_default();
    // A key of blanks is refused: its sender believes to be safe from repeats.
    schema.insert("pattern".to_owned(), "\\S".into());
    constraint::apply(&mut schema, field, output);
    schema.into()
}

/// Whether the request can name the version that it may change (AIP-154): in its own `etag`, or in that of the resource that
/// a PATCH changes.
fn takes_version(binding: &Binding, body: Option<&FieldDescriptor>) -> bool {
    let input = binding.rpc.input();
    let is_partial = binding.rule.method == "PATCH" && input.get_field_by_name("update_mask").is_some();
    let resource = body.filter(|field| is_partial && !field.is_list() && !field.is_map());
    version(&input).is_some() || resource.and_then(scalar::plain_message).is_some_and(|kind| version(&kind).is_some())
}

/// The parameters of the query: leaves of the request, by the path of their JSON names.
struct Query {
    /// Those that the path binds.
    bound: Vec<String>,
    found: Vec<Value>,
    /// Messages that are being walked: one inside itself would be walked for ever.
    open: Vec<String>,
}

impl Query {
    fn collect(&mut self, field: &FieldDescriptor, prefix: &str, schemas: &mut Schemas) {
        let path = format!("{prefix}{}", schemas.output.name(field));
        let is_header =
            prefix.is_empty() && matches!(field.name(), "request_id" | "etag") && field.kind() == Kind::String;
        let is_header = is_header || (prefix.is_empty() && annotation::header(field).is_some());
        if field.is_map() || is_header || self.bound.contains(&path) {
            return;
        }
        let Some(message) = scalar::plain_message(field) else { return self.leaf(field, &path, schemas) };
        let name = message.full_name().to_owned();
        if field.is_list() || self.open.contains(&name) || self.open.len() + 1 >= MAX_DEPTH {
            return;
        }
        self.open.push(name);
        for inner in message.fields() {
            self.collect(&inner, &format!("{path}."), schemas);
        }
        self.open.pop();
    }

    fn leaf(&mut self, field: &FieldDescriptor, path: &str, schemas: &mut Schemas) {
        let mut parameter = Map::new();
        let mut put = |name: &str, value: Value| drop(parameter.insert(name.to_owned(), value));
        put("name", path.into());
        put("in", "query".into());
        put("description", comment::text(field).into());
        put("schema", field::leaf(field, View::Input, schemas).into());
        if !path.contains('.') && absence::is_refused(field) {
            put("required", true.into());
        }
        if annotation::is_deprecated(&field.options()) {
            put("deprecated", true.into());
        }
        self.found.push(parameter.into());
    }
}
