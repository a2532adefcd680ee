//! From the encoded reply to JSON.

use crate::{error::Error, route::Route};
use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

impl Route {
    /// Writes an encoded reply as JSON: names in camelCase, 64-bit integers as strings, enums by name. Scalars, enums,
    /// lists and maps are there even when empty; messages and `optional` fields only when set.
    pub fn response(&self, reply: &[u8]) -> Result<Vec<u8>, Error> {
        self.write(reply).map_err(|source| Error::Reply { rpc: self.rpc.full_name.clone(), source })
    }

    fn write(&self, reply: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let message = DynamicMessage::decode(self.rpc.output.clone(), reply)?;
        let options = SerializeOptions::new().skip_default_fields(false);
        let Some(field) = &self.response_body else {
            let mut out = serde_json::Serializer::new(Vec::with_capacity(reply.len().saturating_mul(2)));
            message.serialize_with_options(&mut out, &options)?;
            return Ok(out.into_inner());
        };
        match message.serialize_with_options(serde_json::value::Serializer, &options)? {
            Value::Object(mut fields) => {
                Ok(serde_json::to_vec(&fields.remove(field.json_name()).unwrap_or(Value::Null))?)
            }
            other => Ok(serde_json::to_vec(&other)?),
        }
    }
}
