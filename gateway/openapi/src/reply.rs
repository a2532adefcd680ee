//! What comes back: the reply as JSON or as a stream.

use crate::{
    binding::Binding,
    comment,
    error::Error,
    failure, field, scalar,
    schemas::{Schemas, View},
};
use serde_json::{Map, Value, json};

const TABLE: &str = "A table by RFC 4180, for callers whose Accept names text/csv: the names of the columns, then a line for \
    each row. An amount of money is two columns, its decimal number and its currency. A text that begins as a formula does has \
    an apostrophe in front.";

/// The responses of an operation.
pub(crate) fn describe(binding: &Binding, schemas: &mut Schemas) -> Result<Value, Error> {
    if binding.access.oauth2_errors {
        schemas.note_sparse(binding.rpc.output().full_name());
    }
    let shown = binding.response_field()?;
    let (schema, message) = match &shown {
        Some(field) => (field::schema(field, View::Output, schemas), scalar::plain_message(field)),
        None => (whole(binding, schemas), Some(binding.rpc.output())),
    };
    let is_stream = binding.rpc.is_server_streaming();
    let text = message.as_ref().map(comment::text).filter(|text| !text.is_empty());
    let text = text.unwrap_or_else(|| "The reply.".to_owned());
    let mut success = if is_stream { stream(&text, &schema) } else { unary(&text, &schema) };
    if !binding.access.csv_rows.is_empty() {
        let table = json!({ "schema": { "type": "string", "description": TABLE } });
        success["content"]["text/csv"] = table;
    }
    let header = |text: &str| json!({ "description": text, "schema": { "type": "string" } });
    let told = binding.access.reply_headers.iter();
    let mut headers: Map<String, Value> = told.map(|name| (name.clone(), header("Metadata of the reply."))).collect();
    if binding.shows_version()? {
        headers.insert("ETag".to_owned(), header("The version of the resource, to send back in If-Match."));
    }
    if !headers.is_empty() {
        success.insert("headers".to_owned(), headers.into());
    }
    let code = if binding.is_creation() && !is_stream { "201" } else { "200" };
    let mut responses = Map::from_iter([(code.to_owned(), success.into())]);
    if binding.answers_not_modified()? {
        responses.insert("304".to_owned(), json!({ "description": "If-None-Match names the version that there is." }));
    }
    if is_stream && binding.rule.method == "GET" {
        let ended = "The stream that Last-Event-ID names has come to its end; there is nothing to come back for.";
        responses.insert("204".to_owned(), json!({ "description": ended }));
    }
    responses
        .insert("default".to_owned(), json!({ "$ref": format!("#/components/responses/{}", failure::name(binding)) }));
    Ok(responses.into())
}

fn whole(binding: &Binding, schemas: &mut Schemas) -> Map<String, Value> {
    let kind = prost_reflect::Kind::Message(binding.rpc.output());
    scalar::schema(&kind).unwrap_or_else(|| schemas.message(&binding.rpc.output(), View::Output))
}

fn unary(text: &str, schema: &Map<String, Value>) -> Map<String, Value> {
    let content = json!({ "application/json": { "schema": schema } });
    Map::from_iter([("description".to_owned(), text.into()), ("content".to_owned(), content)])
}

/// A stream is described by its items: OpenAPI 3.1 has no form for what they make together.
fn stream(text: &str, schema: &Map<String, Value>) -> Map<String, Value> {
    let form = "Messages as they come, each sent at once, in the form that Accept asks for.\n\n\
        - `application/x-ndjson`, also without Accept: one message per line; blank lines keep the connection open, and a \
        failure is a last line `{\"error\": …}` with a google.rpc.Status.\n\
        - `text/event-stream`: one message per event, as its data; a failure is a last event `error` with a \
        google.rpc.Status.";
    let line = json!({ "anyOf": [schema, {
        "type": "object",
        "required": ["error"],
        "properties": { "error": { "$ref": format!("#/components/schemas/{}", failure::STATUS) } },
    }] });
    let content = json!({ "application/x-ndjson": { "schema": line }, "text/event-stream": { "schema": schema } });
    let text = comment::paragraphs(&[text, form]);
    Map::from_iter([("description".to_owned(), text.into()), ("content".to_owned(), content)])
}
