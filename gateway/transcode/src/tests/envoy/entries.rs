//! Entries of maps with key and value written out. A map may leave out what is empty; Envoy 1.40 ends the process at an entry
//! without its key, or without its value.

use crate::tests::zoo::Types;
use crate::wire::{Content, Cursor, WireType, put_tag, put_varint};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

/// The same message, with whole entries.
pub(super) fn whole(types: &Types, of: &MessageDescriptor, bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut cursor, mut seen) = (Vec::new(), Cursor::new(bytes), Vec::new());
    while let Some((number, wire_type, content)) = cursor.field().expect("a message") {
        seen.push(number);
        match (of.get_field(number).map(|field| field.kind()), content) {
            (Some(Kind::Message(inner)), Content::Bytes { start, end }) if wire_type == WireType::Bytes => {
                put(&mut out, number, &whole(types, &inner, &bytes[start..end]));
            }
            (_, Content::Bytes { start, end }) if is_any(of) && number == 2 => {
                let inner = wrapped(types, bytes);
                let value = inner.map_or(bytes[start..end].to_vec(), |of| whole(types, &of, &bytes[start..end]));
                put(&mut out, number, &value);
            }
            (_, Content::Bytes { start, end }) if wire_type == WireType::Bytes => {
                put(&mut out, number, &bytes[start..end])
            }
            (_, content) => other(&mut out, (number, wire_type, content), bytes),
        }
    }
    if of.is_map_entry() {
        let missing = of.fields().filter(|field| !seen.contains(&field.number()));
        missing.for_each(|field| empty(&mut out, &field));
    }
    out
}

fn put(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    crate::wire::put_bytes(out, number, bytes);
}

fn other(out: &mut Vec<u8>, (number, wire_type, content): (u32, WireType, Content), bytes: &[u8]) {
    put_tag(out, number, wire_type);
    match (wire_type, content) {
        (WireType::Fixed32, Content::Number(value)) => out.extend_from_slice(&value.to_le_bytes()[..4]),
        (WireType::Fixed64, Content::Number(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (_, Content::Number(value)) => put_varint(out, value),
        (_, Content::Bytes { start, end }) => {
            out.extend_from_slice(&bytes[start..end]);
            put_tag(out, number, WireType::GroupEnd);
        }
    }
}

fn empty(out: &mut Vec<u8>, field: &FieldDescriptor) {
    let (wire_type, bytes) = match field.kind() {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => (WireType::Fixed64, 8),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => (WireType::Fixed32, 4),
        Kind::String | Kind::Bytes | Kind::Message(_) => (WireType::Bytes, 1),
        _ => (WireType::Varint, 1),
    };
    put_tag(out, field.number(), wire_type);
    out.extend(vec![0; bytes]);
}

fn is_any(of: &MessageDescriptor) -> bool {
    of.full_name() == "google.protobuf.Any"
}

/// The type of what an Any holds.
fn wrapped(types: &Types, any: &[u8]) -> Option<MessageDescriptor> {
    let mut cursor = Cursor::new(any);
    while let Ok(Some((number, _, content))) = cursor.field() {
        if let (1, Content::Bytes { start, end }) = (number, content) {
            let url = std::str::from_utf8(&any[start..end]).ok()?;
            return types.pool.get_message_by_name(url.rsplit('/').next()?);
        }
    }
    None
}
