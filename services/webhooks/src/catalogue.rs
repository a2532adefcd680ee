//! What can be subscribed to, and the body of an event: from the contracts alone.

#[cfg(test)]
mod tests;

use contracts::DESCRIPTORS;
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, MessageDescriptor, ReflectMessage,
    SerializeOptions, Value,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use topology::Topology;

/// The name of this service in the topology.
const SERVICE: &str = "webhooks";

/// Events by type, such as "order.confirmed", of the services that this one consumes.
pub struct Catalogue {
    types: BTreeMap<String, MessageDescriptor>,
    /// The option that says how far a field may travel.
    data: ExtensionDescriptor,
}

/// What is posted: the three members of Standard Webhooks.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: &'a str,
    data: serde_json::Value,
}

impl Catalogue {
    pub fn new() -> Self {
        let pool = DescriptorPool::decode(DESCRIPTORS).expect("the build linked these descriptors");
        let option = |name: &str| pool.get_extension_by_name(name).expect("the contracts have their options");
        let (event, data) = (option("comptoir.api.v1.event"), option("comptoir.api.v1.data"));
        let topology = Topology::get();
        let consumed = topology.service(SERVICE).into_iter().flat_map(|service| &service.consumes);
        let packages: BTreeSet<&str> =
            consumed.filter_map(|name| topology.service(name)).map(|service| &*service.proto).collect();
        let mut types = BTreeMap::new();
        for message in pool.all_messages().filter(|message| packages.contains(message.package_name())) {
            let options = message.options();
            let value = options.get_extension(&event);
            let Some(told) = value.as_message().filter(|_| options.has_extension(&event)) else { continue };
            let names = told.get_field_by_name("names");
            let aggregate = told.get_field_by_name("aggregate");
            let aggregate = aggregate.as_deref().and_then(Value::as_str).unwrap_or_default();
            for name in names.as_deref().and_then(Value::as_list).into_iter().flatten().filter_map(Value::as_str) {
                types.insert(event_type(aggregate, name), message.clone());
            }
        }
        Self { types, data }
    }

    /// The types of the events of an aggregate of this noun.
    pub fn types_of(&self, aggregate: &str) -> Vec<String> {
        let is_of = |event_type: &&String| event_type.split('.').next() == Some(aggregate);
        self.types.keys().filter(is_of).cloned().collect()
    }

    /// Whether there are such events.
    pub fn knows(&self, event_type: &str) -> bool {
        self.types.contains_key(event_type)
    }

    /// The body of an event; none of a type that these contracts do not know, or when it is malformed.
    pub fn body(&self, event_type: &str, timestamp: &str, data: &[u8]) -> Option<String> {
        let descriptor = self.types.get(event_type)?.clone();
        let mut message = DynamicMessage::decode(descriptor, data).ok()?;
        self.redact(&mut message);
        let options = SerializeOptions::new().skip_default_fields(false);
        let data = message.serialize_with_options(serde_json::value::Serializer, &options).ok()?;
        serde_json::to_string(&Body { r#type: event_type, timestamp, data }).ok()
    }

    /// Clears what is personal or secret. No event has such a field today; this holds for those to come.
    fn redact(&self, message: &mut DynamicMessage) {
        let fields: Vec<FieldDescriptor> = message.descriptor().fields().collect();
        for field in fields.iter().filter(|field| field.options().has_extension(&self.data)) {
            message.clear_field(field);
        }
        for (_, value) in message.fields_mut() {
            self.redact_value(value);
        }
    }

    fn redact_value(&self, value: &mut Value) {
        match value {
            Value::Message(inner) => self.redact(inner),
            Value::List(values) => values.iter_mut().for_each(|value| self.redact_value(value)),
            Value::Map(values) => values.values_mut().for_each(|value| self.redact_value(value)),
            _ => {}
        }
    }
}

/// The type of the events of this name about this aggregate.
pub fn event_type(aggregate: &str, name: &str) -> String {
    format!("{aggregate}.{name}")
}
