//! The schemas that operations and other schemas refer to: each has a name, and is wanted once.

use prost_reflect::{EnumDescriptor, FieldDescriptor, MessageDescriptor};
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

/// How replies are written as JSON, and so what they look like.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Whether scalars, enums, lists and maps are there when empty.
    pub shows_defaults: bool,
    /// Whether names are those of the contract, `page_size`, and not `pageSize`.
    pub keeps_names: bool,
    /// Whether enums are numbers, and not names.
    pub numbers_enums: bool,
}

impl Output {
    /// The name of a field. Requests may spell it either way; they are described like replies.
    pub(crate) fn name(self, field: &FieldDescriptor) -> String {
        if self.keeps_names { field.name().to_owned() } else { field.json_name().to_owned() }
    }
}

/// What a schema is made of.
#[derive(Debug)]
pub(crate) enum Wanted {
    Message(MessageDescriptor, View),
    Enum(EnumDescriptor),
}

#[derive(Debug)]
pub(crate) struct Schemas {
    pub output: Output,
    /// All that were ever wanted.
    names: BTreeSet<String>,
    /// Those that are not made yet.
    wanted: Vec<(String, Wanted)>,
    /// Messages of which only what is set is sent.
    sparse: BTreeSet<String>,
}

impl Schemas {
    pub(crate) fn new(output: Output) -> Self {
        Schemas { output, names: BTreeSet::new(), wanted: Vec::new(), sparse: BTreeSet::new() }
    }

    /// A reference to the schema of a message.
    pub(crate) fn message(&mut self, message: &MessageDescriptor, view: View) -> Map<String, Value> {
        let name = match view {
            View::Input => format!("{}-Input", message.full_name()),
            View::Output => message.full_name().to_owned(),
        };
        self.want(name, Wanted::Message(message.clone(), view))
    }

    /// Of the message with this name only what is set is sent.
    pub(crate) fn note_sparse(&mut self, full_name: &str) {
        self.sparse.insert(full_name.to_owned());
    }

    pub(crate) fn is_sparse(&self, full_name: &str) -> bool {
        self.sparse.contains(full_name)
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
