//! What comes back where something failed: `google.rpc.Status`, a problem of RFC 9457, or an error of RFC 6749.

use crate::{binding::Binding, schemas::Output};
use serde_json::{Map, Value, json};

pub(crate) const STATUS: &str = "google.rpc.Status";
const ERROR: &str = "Error";
const PROBLEM: &str = "Problem";
const OAUTH_ERROR: &str = "OAuthError";

/// The codes of RFC 6749, section 5.2, and RFC 7009, section 2.2.1, and of section 4.1.2.1 those for what is not the caller's fault.
const OAUTH_CODES: [&str; 9] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_token_type",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
];

/// The name of the response of an operation that fails.
pub(crate) fn name(binding: &Binding) -> &'static str {
    if binding.access.oauth2_errors { OAUTH_ERROR } else { ERROR }
}

/// The responses that operations refer to.
pub(crate) fn shared(bindings: &[Binding]) -> Value {
    let response = |text: &str, schema: &str| {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        json!({ "description": text, "content": { "application/json": { "schema": schema } } })
    };
    let problem = json!({ "schema": { "$ref": format!("#/components/schemas/{PROBLEM}") } });
    let text = "A refusal or a failure: google.rpc.Status. A detail google.rpc.ErrorInfo has a `reason` for programs; \
        google.rpc.BadRequest names each field that was refused; google.rpc.RetryInfo, like the header Retry-After, tells \
        when to come back. Who accepts `application/problem+json` gets the problem of RFC 9457 instead.";
    let mut error = response(text, STATUS);
    error["content"]["application/problem+json"] = problem;
    let mut found = Map::from_iter([(ERROR.to_owned(), error)]);
    if bindings.iter().any(|binding| binding.access.oauth2_errors) {
        let text = "A refusal or a failure, in the form of RFC 6749, section 5.2.";
        found.insert(OAUTH_ERROR.to_owned(), response(text, OAUTH_ERROR));
    }
    found.into()
}

/// The schemas, and those of errors.
pub(crate) fn with_errors(mut schemas: Map<String, Value>, bindings: &[Binding], output: Output) -> Map<String, Value> {
    schemas.insert(STATUS.to_owned(), status(output));
    schemas.insert(PROBLEM.to_owned(), problem());
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

/// `google.rpc.Status` as the gateway writes it, whether or not the descriptors have it. An error has all its members; a status
/// within a reply lacks those that are empty where these are left out.
fn status(output: Output) -> Value {
    let required: &[&str] = if output.shows_defaults { &["code", "message", "details"] } else { &[] };
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
        "required": required,
    })
}

/// The problem that the gateway makes of a status.
fn problem() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let violation = json!({
        "type": "object",
        "properties": {
            "field": text("Where it is, as the caller writes it: `items[0].quantity`."),
            "description": text("What would be right, for a person."),
            "reason": text("What is wrong, for a program."),
        },
    });
    json!({
        "title": "Problem",
        "type": "object",
        "description": "What failed, in the form of RFC 9457.",
        "properties": {
            "type": text("Always `about:blank`: programs test `reason`."),
            "title": text("The phrase of the HTTP status."),
            "status": { "type": "integer", "description": "The HTTP status." },
            "detail": text("What failed, for a person."),
            "instance": text("The id of the request, as in the header X-Request-Id."),
            "code": { "type": "integer", "format": "int32", "description": "A code of google.rpc.Code." },
            "reason": { "type": ["string", "null"], "description": "What failed, for a program." },
            "violations": { "type": "array", "items": violation, "description": "The fields that were refused." },
        },
        "required": ["type", "title", "status", "detail", "instance", "code", "reason"],
    })
}
