//! From the encoded reply to JSON.

use crate::{error::Error, field::ETAG, route::Route};
use prost_reflect::{DynamicMessage, ReflectMessage, SerializeOptions, Value as Reflected};
use serde_json::Value;

/// A reply as it is sent.
#[derive(Debug)]
pub struct Reply {
    pub json: Vec<u8>,
    /// The version of the one resource that it shows, when that has one.
    pub etag: Option<String>,
}

impl Route {
    /// Writes an encoded reply as JSON: names in camelCase, 64-bit integers as strings, enums by name. Scalars, enums,
    /// lists and maps are there even when empty; messages and `optional` fields only when set.
    pub fn response(&self, reply: &[u8]) -> Result<Vec<u8>, Error> {
        self.reply(reply).map(|reply| reply.json)
    }

    /// Writes an encoded reply as JSON, and tells the version of the resource in it.
    pub fn reply(&self, reply: &[u8]) -> Result<Reply, Error> {
        self.write(reply).map_err(|source| Error::Reply { rpc: self.rpc.full_name.clone(), source })
    }

    fn write(&self, reply: &[u8]) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
        let message = DynamicMessage::decode(self.rpc.output.clone(), reply)?;
        // Defaults are written, so that a reader can tell an empty list from a field that it does not know.
        let options = SerializeOptions::new().skip_default_fields(false);
        let Some(field) = &self.response_body else {
            let mut out = serde_json::Serializer::new(Vec::with_capacity(reply.len().saturating_mul(2)));
            message.serialize_with_options(&mut out, &options)?;
            return Ok(Reply { json: out.into_inner(), etag: etag(&message) });
        };
        let json = match message.serialize_with_options(serde_json::value::Serializer, &options)? {
            Value::Object(mut fields) => serde_json::to_vec(&fields.remove(field.json_name()).unwrap_or(Value::Null))?,
            other => serde_json::to_vec(&other)?,
        };
        let shown = message.get_field(field);
        Ok(Reply { json, etag: shown.as_message().and_then(etag) })
    }
}

fn etag(message: &DynamicMessage) -> Option<String> {
    let field = message.descriptor().get_field_by_name(ETAG)?;
    match message.get_field(&field).into_owned() {
        Reflected::String(etag) if !etag.is_empty() => Some(etag),
        _ => None,
    }
}
