//! The schemas that operations and other schemas refer to: each has a name, and is wanted once.

use prost_reflect::{EnumDescriptor, MessageDescriptor};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Sent by the caller: it must keep the bounds of its fields.
    Input,
    /// Sent by the gateway: what was stored under earlier bounds is shown too.
    Output,
}

/// What a schema is made of.
#[derive(Debug)]
pub(crate) enum Wanted {
    Message(MessageDescriptor, View),
    Enum(EnumDescriptor),
}

#[derive(Debug, Default)]
pub(crate) struct Schemas {
    /// All that were ever wanted.
    names: BTreeSet<String>,
    /// Those that are not made yet.
    wanted: Vec<(String, Wanted)>,
}

impl Schemas {
    /// A reference to the schema of a message.
    pub(crate) fn message(&mut self, message: &MessageDescriptor, view: View) -> Map<String, Value> {
        let name = match view {
            View::Input => format!("{}-Input", message.full_name()),
            View::Output => message.full_name().to_owned(),
        };
        self.want(name, Wanted::Message(message.clone(), view))
    }

    /// A reference to the schema of an enum. A value without a meaning is written and taken like others, so there is one
    /// for both directions.
    pub(crate) fn values(&mut self, kind: &EnumDescriptor) -> Map<String, Value> {
        self.want(kind.full_name().to_owned(), Wanted::Enum(kind.clone()))
    }

    /// The name of the next schema to make, and what it is made of.
    pub(crate) fn next(&mut self) -> Option<(String, Wanted)> {
        self.wanted.pop()
    }

    fn want(&mut self, name: String, wanted: Wanted) -> Map<String, Value> {
        let reference = format!("#/components/schemas/{name}");
        if self.names.insert(name.clone()) {
            self.wanted.push((name, wanted));
        }
        Map::from_iter([("$ref".to_owned(), reference.into())])
    }
}
