//! One binding as an operation.

use crate::{
    annotation::{self, Access},
    binding::Binding,
    body, comment,
    error::Error,
    parameter, reply,
    schemas::Schemas,
};
use serde_json::{Map, Value, json};

/// The methods that OpenAPI 3.1 has a member for, and a rule for any method stands for.
const ANY: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// The methods that OpenAPI 3.1 has a member for.
const KNOWN: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The members of a path item that hold the operation of a binding: several where the rule is for any method. A method that
/// OpenAPI does not know is an extension.
pub(crate) fn members(binding: &Binding, operation: &Value) -> Vec<(String, Value)> {
    let method = binding.rule.method.to_ascii_lowercase();
    if method != "*" {
        let name = if KNOWN.contains(&method.as_str()) { method } else { format!("x-{method}") };
        return vec![(name, operation.clone())];
    }
    let copy = |method: &str| {
        let mut operation = operation.clone();
        operation["operationId"] = format!("{}_{method}", binding.operation_id).into();
        (method.to_owned(), operation)
    };
    ANY.map(copy).into()
}

pub(crate) fn describe(binding: &Binding, schemas: &mut Schemas) -> Result<Value, Error> {
    let text = comment::text(&binding.rpc);
    let mut operation = Map::new();
    let mut put = |name: &str, value: Value| drop(operation.insert(name.to_owned(), value));
    put("operationId", binding.operation_id.as_str().into());
    put("tags", json!([binding.tag]));
    put("summary", comment::summary(if text.is_empty() { binding.rpc.name() } else { &text }).into());
    put("description", comment::paragraphs(&[&text, &callers(&binding.access)]).into());
    put("security", security(&binding.access));
    if annotation::is_deprecated(&binding.rpc.options()) {
        put("deprecated", true.into());
    }
    if !binding.access.roles.is_empty() {
        put("x-comptoir-roles", json!(binding.access.roles));
    }
    if binding.access.idempotent {
        put("x-comptoir-idempotent", true.into());
    }
    let parameters = parameter::all(binding, schemas)?;
    if !parameters.is_empty() {
        put("parameters", parameters.into());
    }
    if let Some(body) = body::describe(binding, schemas)? {
        put("requestBody", body);
    }
    put("responses", reply::describe(binding, schemas)?);
    Ok(operation.into())
}

/// Who may call, in words.
fn callers(access: &Access) -> String {
    if access.public {
        return "Anyone may call, without a token.".to_owned();
    }
    let roles: Vec<String> = access.roles.iter().map(|role| format!("`{role}`")).collect();
    let roles = format!("users whose role is at least {}", roles.join(" or "));
    let who = [
        (access.user, "any signed-in user"),
        (access.owner, "the user who owns the resource, which is NOT_FOUND for other users"),
        (!access.roles.is_empty(), &roles),
    ];
    let who: Vec<&str> = who.iter().filter(|(may, _)| *may).map(|(_, who)| *who).collect();
    format!("May be called by {}.", who.join(", and by "))
}

/// A public RPC needs no token, but its service looks at one that is there. The token endpoint looks at none: a client
/// authenticates itself there.
fn security(access: &Access) -> Value {
    match (access.public, access.oauth2_errors) {
        (true, true) => json!([{}, { "client": [] }]),
        (true, false) => json!([{}, { "bearer": [] }]),
        (false, _) => json!([{ "bearer": [] }]),
    }
}
