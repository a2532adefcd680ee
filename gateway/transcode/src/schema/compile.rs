//! From descriptors to tables.

use super::{Enum, EnumId, Field, FieldId, Form, Kind, Message, MessageId, Schema, Shape};
use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, Kind as Described, MessageDescriptor, OneofDescriptor,
};
use std::collections::HashMap;

/// What has an id already.
struct Ids {
    messages: HashMap<Box<str>, MessageId>,
    enums: HashMap<Box<str>, EnumId>,
}

impl Schema {
    /// The tables of all messages of `pool`.
    pub(crate) fn new(pool: &DescriptorPool) -> Self {
        let messages: Vec<MessageDescriptor> = pool.all_messages().collect();
        let enums: Vec<EnumDescriptor> = pool.all_enums().collect();
        let count = |at: usize| u32::try_from(at).expect("a descriptor set is far smaller than 4 GiB");
        let named = |(at, name): (usize, &str)| (Box::from(name), count(at));
        let ids = Ids {
            messages: messages
                .iter()
                .map(MessageDescriptor::full_name)
                .enumerate()
                .map(named)
                .map(|(name, at)| (name, MessageId(at)))
                .collect(),
            enums: enums
                .iter()
                .map(EnumDescriptor::full_name)
                .enumerate()
                .map(named)
                .map(|(name, at)| (name, EnumId(at)))
                .collect(),
        };
        Schema {
            messages: messages.iter().map(|descriptor| message(descriptor, &ids)).collect(),
            enums: enums.iter().map(enumeration).collect(),
            by_name: ids.messages,
        }
    }

    /// The table of a message of the pool that the schema was made of.
    pub(crate) fn id(&self, descriptor: &MessageDescriptor) -> MessageId {
        self.by_name(descriptor.full_name()).expect("a schema has all messages of its pool")
    }

    /// The field called `name` in the contract.
    pub(crate) fn declared(&self, message: MessageId, name: &str) -> Option<FieldId> {
        self.lookup(message, name).filter(|id| self.field(*id).name.as_ref() == name)
    }
}

fn message(descriptor: &MessageDescriptor, ids: &Ids) -> Message {
    let oneofs: Vec<OneofDescriptor> = descriptor.oneofs().filter(|oneof| !is_synthetic(oneof)).collect();
    let fields: Vec<Field> = descriptor.fields().map(|one| field(&one, &oneofs, ids)).collect();
    debug_assert!(fields.is_sorted_by_key(|field| field.number), "fields come in the order of their numbers");
    let mut names = Vec::new();
    for (index, field) in (0..).zip(&fields) {
        names.push((field.json_name.clone(), index));
        // The JSON name of one field may be the protobuf name of another; the JSON name is meant then.
        if field.name != field.json_name && !fields.iter().any(|other| other.json_name == field.name) {
            names.push((field.name.clone(), index));
        }
    }
    names.sort();
    Message {
        name: descriptor.full_name().into(),
        form: form(descriptor.full_name()),
        fields,
        names,
        oneofs: u16::try_from(oneofs.len()).expect("a message has fewer fields than 65536"),
    }
}

/// Whether it is what the compiler makes of one `optional` field, and no choice.
fn is_synthetic(oneof: &OneofDescriptor) -> bool {
    oneof.fields().all(|field| field.field_descriptor_proto().proto3_optional())
}

fn form(name: &str) -> Form {
    match name {
        "google.protobuf.Any" => Form::Any,
        "google.protobuf.Duration" => Form::Duration,
        "google.protobuf.FieldMask" => Form::FieldMask,
        "google.protobuf.ListValue" => Form::List,
        "google.protobuf.Struct" => Form::Struct,
        "google.protobuf.Timestamp" => Form::Timestamp,
        "google.protobuf.Value" => Form::Value,
        "google.protobuf.BoolValue"
        | "google.protobuf.BytesValue"
        | "google.protobuf.DoubleValue"
        | "google.protobuf.FloatValue"
        | "google.protobuf.Int32Value"
        | "google.protobuf.Int64Value"
        | "google.protobuf.StringValue"
        | "google.protobuf.UInt32Value"
        | "google.protobuf.UInt64Value" => Form::Wrapper,
        _ => Form::Plain,
    }
}

fn field(descriptor: &FieldDescriptor, oneofs: &[OneofDescriptor], ids: &Ids) -> Field {
    let shape = if descriptor.is_map() {
        Shape::Map
    } else if descriptor.is_list() {
        Shape::List { packed: descriptor.is_packed() }
    } else {
        Shape::One
    };
    let oneof = descriptor.containing_oneof().and_then(|own| oneofs.iter().position(|oneof| *oneof == own));
    Field {
        number: descriptor.number(),
        name: descriptor.name().into(),
        json_name: descriptor.json_name().into(),
        kind: kind(&descriptor.kind(), ids),
        shape,
        has_presence: shape == Shape::One && descriptor.supports_presence(),
        oneof: oneof.and_then(|at| u16::try_from(at).ok()),
        is_group: descriptor.is_group(),
    }
}

fn kind(described: &Described, ids: &Ids) -> Kind {
    let missing = "a pool has all types that its fields name";
    match described {
        Described::Double => Kind::Double,
        Described::Float => Kind::Float,
        Described::Int32 => Kind::Int32,
        Described::Int64 => Kind::Int64,
        Described::Uint32 => Kind::Uint32,
        Described::Uint64 => Kind::Uint64,
        Described::Sint32 => Kind::Sint32,
        Described::Sint64 => Kind::Sint64,
        Described::Fixed32 => Kind::Fixed32,
        Described::Fixed64 => Kind::Fixed64,
        Described::Sfixed32 => Kind::Sfixed32,
        Described::Sfixed64 => Kind::Sfixed64,
        Described::Bool => Kind::Bool,
        Described::String => Kind::String,
        Described::Bytes => Kind::Bytes,
        Described::Enum(own) => Kind::Enum(ids.enums.get(own.full_name()).copied().expect(missing)),
        Described::Message(own) => Kind::Message(ids.messages.get(own.full_name()).copied().expect(missing)),
    }
}

fn enumeration(descriptor: &EnumDescriptor) -> Enum {
    // Of names for one number, the one that is declared first is written.
    let declared = &descriptor.enum_descriptor_proto().value;
    let values: Vec<(Box<str>, i32)> = declared.iter().map(|value| (Box::from(value.name()), value.number())).collect();
    let places = || (0..).zip(&values);
    let mut by_name: Vec<(&str, u32)> = places().map(|(place, (name, _))| (name.as_ref(), place)).collect();
    by_name.sort_unstable();
    let mut by_number: Vec<(i32, u32)> = places().map(|(place, (_, number))| (*number, place)).collect();
    by_number.sort_unstable();
    by_number.dedup_by_key(|(number, _)| *number);
    Enum {
        is_null: descriptor.full_name() == "google.protobuf.NullValue",
        by_name: by_name.into_iter().map(|(_, place)| place).collect(),
        by_number: by_number.into_iter().map(|(_, place)| place).collect(),
        values,
    }
}
