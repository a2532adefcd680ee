//! The body of a request: one field of the message, or all that the path does not bind.

use crate::{
    absence,
    binding::Binding,
    error::Error,
    field, message,
    schemas::{Schemas, View},
};
use serde_json::{Map, Value, json};

/// The request body; none where the binding takes none.
pub(crate) fn describe(binding: &Binding, schemas: &mut Schemas) -> Result<Option<Value>, Error> {
    let (schema, is_required) = match (binding.rule.body.as_str(), binding.body_field()?) {
        ("", _) => return Ok(None),
        (_, Some(field)) => (field::schema(&field, View::Input, schemas), absence::is_refused(&field)),
        (_, None) => {
            let schema = message::object(&binding.rpc.input(), View::Input, &binding.path.bound, schemas);
            let is_required = schema.contains_key("required");
            (schema, is_required)
        }
    };
    if binding.access.oauth2_errors {
        return Ok(Some(form(schema)));
    }
    // Of a stream, the schema is that of one line.
    let (form, is_required) = match binding.rpc.is_client_streaming() {
        true => ("application/x-ndjson", false),
        false => ("application/json", is_required),
    };
    Ok(Some(json!({ "required": is_required, "content": { form: { "schema": schema } } })))
}

/// The body of a token endpoint: RFC 6749 has forms there, and members that are not known are passed over.
fn form(mut schema: Map<String, Value>) -> Value {
    schema.remove("additionalProperties");
    json!({ "required": true, "content": { "application/x-www-form-urlencoded": { "schema": schema } } })
}
