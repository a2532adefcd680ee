//! What comes back: the reply as JSON or as a stream, and errors.

use crate::{
    binding::Binding,
    comment,
    error::Error,
    field, parameter, scalar,
    schemas::{Schemas, View},
};
use serde_json::{Map, Value, json};

const STATUS: &str = "google.rpc.Status";
const OAUTH_ERROR: &str = "OAuthError";

/// The codes of RFC 6749, section 5.2, and of section 4.1.2.1 those for what is not the caller's fault.
const OAUTH_CODES: [&str; 8] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
];

/// The responses of an operation.
pub(crate) fn describe(binding: &Binding, schemas: &mut Schemas) -> Result<Value, Error> {
    let shown = binding.response_field()?;
    let (schema, message) = match &shown {
        Some(field) => (field::schema(field, View::Output, schemas), scalar::plain_message(field)),
        None => (whole(binding, schemas), Some(binding.rpc.output())),
    };
    let is_stream = binding.rpc.is_server_streaming();
    let text = message.as_ref().map(comment::text).filter(|text| !text.is_empty());
    let text = text.unwrap_or_else(|| "The reply.".to_owned());
    let mut success = if is_stream { stream(&text, &schema) } else { unary(&text, &schema) };
    let version = message.filter(|_| shown.as_ref().is_none_or(|field| !field.is_list() && !field.is_map()));
    if version.is_some_and(|message| parameter::version(&message).is_some()) && !is_stream {
        success.insert(
            "headers".to_owned(),
            json!({ "ETag": {
            "description": "The version of the resource, to send back in If-Match.",
            "schema": { "type": "string" },
        } }),
        );
    }
    let code = if binding.is_creation() && !is_stream { "201" } else { "200" };
    let mut responses = Map::from_iter([(code.to_owned(), success.into())]);
    if is_stream && binding.rule.method == "GET" {
        let ended = "The stream that Last-Event-ID names has come to its end; there is nothing to come back for.";
        responses.insert("204".to_owned(), json!({ "description": ended }));
    }
    responses.insert("default".to_owned(), json!({ "$ref": format!("#/components/responses/{}", error(binding)) }));
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
        "properties": { "error": { "$ref": format!("#/components/schemas/{STATUS}") } },
    }] });
    let content = json!({ "application/x-ndjson": { "schema": line }, "text/event-stream": { "schema": schema } });
    let text = comment::paragraphs(&[text, form]);
    Map::from_iter([("description".to_owned(), text.into()), ("content".to_owned(), content)])
}

fn error(binding: &Binding) -> &'static str {
    if binding.access.oauth2_errors { OAUTH_ERROR } else { "Error" }
}

/// The responses that operations refer to.
pub(crate) fn shared(bindings: &[Binding]) -> Value {
    let response = |text: &str, schema: &str| {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        json!({ "description": text, "content": { "application/json": { "schema": schema } } })
    };
    let text = "A refusal or a failure: google.rpc.Status. A detail google.rpc.ErrorInfo has a `reason` for programs; \
        google.rpc.BadRequest names each field that was refused; google.rpc.RetryInfo, like the header Retry-After, tells \
        when to come back.";
    let mut found = Map::from_iter([("Error".to_owned(), response(text, STATUS))]);
    if bindings.iter().any(|binding| binding.access.oauth2_errors) {
        let text = "A refusal or a failure, in the form of RFC 6749, section 5.2.";
        found.insert(OAUTH_ERROR.to_owned(), response(text, OAUTH_ERROR));
    }
    found.into()
}

/// The schemas, and those of errors.
pub(crate) fn with_errors(mut schemas: Map<String, Value>, bindings: &[Binding]) -> Map<String, Value> {
    schemas.insert(STATUS.to_owned(), status());
    if bindings.iter().any(|binding| binding.access.oauth2_errors) {
        schemas.insert(
            OAUTH_ERROR.to_owned(),
            json!({
                "type": "object",
                "description": "An error of RFC 6749, section 5.2.",
                "properties": {
                    "error": { "type": "string", "enum": OAUTH_CODES, "description": "What failed, for a program." },
                    "error_description": { "type": "string", "description": "What failed, for a person." },
                },
                "required": ["error"],
            }),
        );
    }
    schemas
}

/// `google.rpc.Status` as the gateway writes it, whether or not the descriptors have it.
fn status() -> Value {
    json!({
        "title": "Status",
        "type": "object",
        "description": "What failed.",
        "properties": {
            "code": { "type": "integer", "format": "int32", "description": "A code of google.rpc.Code, such as 5 for NOT_FOUND." },
            "message": { "type": "string", "description": "What failed, for a person." },
            "details": {
                "type": "array",
                "description": "What failed, for a program.",
                "items": {
                    "type": "object",
                    "properties": { "@type": { "type": "string", "examples": ["type.googleapis.com/google.rpc.ErrorInfo"] } },
                    "required": ["@type"],
                    "additionalProperties": true,
                },
            },
        },
        "required": ["code", "message", "details"],
    })
}
