//! OpenAPI 3.1 of what the gateway serves, from the descriptors alone: no I/O, no business noun.
//!
//! The way of a document:
//!
//! 1. `annotation` reads `google.api.http`, `comptoir.api.v1` and `buf.validate`; `comment` the text above an element.
//! 2. `binding` lists the bindings of all RPCs that users can reach; `template` makes the path of each.
//! 3. `operation` describes one binding: `parameter` what path, query and headers carry, `body` what is sent, `reply` what
//!    comes back, `failure` what does instead.
//! 4. `schemas` notes the messages and enums on the way. `message` makes their schemas, field by field (`field`), as ProtoJSON
//!    writes them (`scalar`), with the bounds that requests must keep (`constraint`) and what they cannot do without (`absence`).
//!
//! What holds:
//!
//! - There is one operation for each binding that the router serves to users, and no other.
//! - A message that is sent and one that is received are two schemas, `Name-Input` and `Name`: what is received has all of
//!   its scalars, lists and maps, unless empty ones are left out, and may get more members; what is sent has bounds, and no members that are not in it.
//! - The name of a schema depends on its message alone, so that a new RPC renames nothing in clients that are generated.
//! - One descriptor set gives one document, byte for byte.

mod absence;
mod annotation;
mod binding;
mod body;
mod comment;
mod constraint;
mod error;
mod failure;
mod field;
mod message;
mod operation;
mod parameter;
mod reply;
mod scalar;
mod schemas;
mod template;
#[cfg(test)]
mod tests;

pub use annotation::Access;
pub use error::Error;
pub use schemas::Output;

use prost_reflect::DescriptorPool;
use schemas::Schemas;
use serde_json::{Map, Value, json};

/// What the document says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Info<'a> {
    pub title: &'a str,
    pub version: &'a str,
    /// CommonMark.
    pub description: &'a str,
    /// SPDX identifier of the licence, if it is known.
    pub license: Option<&'a str>,
}

/// The OpenAPI 3.1 document of all bindings in `pool` that users can reach. Comments are there as far as the descriptors
/// have source information. `default` is the rule of RPCs whose contract does not say who may call;
/// `output` says how replies are written.
pub fn document(pool: &DescriptorPool, info: Info<'_>, default: &Access, output: Output) -> Result<Value, Error> {
    let bindings = binding::all(pool, default)?;
    let mut schemas = Schemas::new(output);
    let (mut paths, mut tags) = (Map::new(), Vec::new());
    for binding in &bindings {
        let operation = operation::describe(binding, &mut schemas)?;
        let Value::Object(item) = paths.entry(&binding.path.text).or_insert_with(|| json!({})) else { continue };
        item.extend(operation::members(binding, &operation));
        let tag = json!({ "name": binding.tag, "description": comment::text(binding.rpc.parent_service()) });
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": described(info),
        "servers": [{ "url": "/", "description": "The gateway that serves this document." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": failure::with_errors(message::complete(schemas), &bindings, output),
            "responses": failure::shared(&bindings),
            "securitySchemes": schemes(&bindings),
        },
    }))
}

/// How callers prove who they are: by a token, and where there are endpoints of OAuth, by the secret of a client.
fn schemes(bindings: &[binding::Binding]) -> Value {
    let mut schemes = json!({ "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of the token endpoint.",
    } });
    if bindings.iter().any(|binding| binding.access.oauth2_errors) {
        let text = "The id and the secret of a client, each encoded as a field of a form (RFC 6749, section 2.3.1).";
        schemes["client"] = json!({ "type": "http", "scheme": "basic", "description": text });
    }
    schemes
}

fn described(info: Info<'_>) -> Value {
    let Info { title, version, description, license } = info;
    let mut described = json!({ "title": title, "version": version, "description": description });
    if let Some(license) = license {
        described["license"] = json!({ "name": license, "identifier": license });
    }
    described
}
