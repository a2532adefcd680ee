//! Messages and JSON made at random, the same ones for the same seed.

use super::zoo::Types;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value};
use serde_json::{Map, json};
use std::collections::HashMap;

/// SplitMix64.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn bits(&mut self) -> u64 {
        // Small numbers, large ones, and those around a power of two.
        let shift = self.below(64) as u32;
        (self.next() >> shift).wrapping_add(self.pick(&[0, 1, u64::MAX]))
    }

    pub(super) fn text(&mut self) -> String {
        let pieces =
            ["", "a", "Zoë", "\u{0}\u{1f}", "\"\\/", "日本語", "😀", "\n\r\t", " ", "0123456789abcdef", "\u{7f}\u{80}"];
        (0..self.below(4)).map(|_| self.pick(&pieces)).collect()
    }

    fn double(&mut self) -> f64 {
        let known =
            [0.0, -0.0, 1.0, 1.5, -2.25, 1e300, 5e-324, f64::MAX, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1];
        if self.once_in(2) { self.pick(&known) } else { f64::from_bits(self.next()) }
    }
}

/// A message with about half of its fields, at most `depth` levels deep.
pub(super) fn message(types: &Types, of: &MessageDescriptor, depth: usize, random: &mut Random) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    if known(types, &mut message, depth, random) {
        return message;
    }
    for field in of.fields() {
        if random.once_in(2) || (depth == 0 && is_deep(&field)) {
            continue;
        }
        let value = match () {
            () if field.is_list() => {
                Value::List((0..random.below(4)).map(|_| value(types, &field, depth, random)).collect())
            }
            () if field.is_map() => map(types, &field, depth, random),
            () => value(types, &field, depth, random),
        };
        message.set_field(&field, value);
    }
    message
}

fn is_deep(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(_))
}

fn map(types: &Types, field: &FieldDescriptor, depth: usize, random: &mut Random) -> Value {
    let Kind::Message(entry) = field.kind() else { panic!("a map has entries") };
    let (key, inner) = (entry.map_entry_key_field(), entry.map_entry_value_field());
    let mut map = HashMap::new();
    for _ in 0..random.below(4) {
        let key = match value(types, &key, depth, random) {
            Value::Bool(key) => MapKey::Bool(key),
            Value::I32(key) => MapKey::I32(key),
            Value::I64(key) => MapKey::I64(key),
            Value::U32(key) => MapKey::U32(key),
            Value::U64(key) => MapKey::U64(key),
            Value::String(key) => MapKey::String(key),
            other => panic!("{other:?} is no key"),
        };
        map.insert(key, value(types, &inner, depth, random));
    }
    Value::Map(map)
}

fn value(types: &Types, field: &FieldDescriptor, depth: usize, random: &mut Random) -> Value {
    let bits = random.bits();
    match field.kind() {
        Kind::Double => Value::F64(random.double()),
        Kind::Float => Value::F32(if random.once_in(2) { random.double() as f32 } else { f32::from_bits(bits as u32) }),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(bits as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(bits as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(bits),
        Kind::Bool => Value::Bool(bits & 1 == 1),
        Kind::String => Value::String(random.text()),
        Kind::Bytes => Value::Bytes(random.text().into_bytes().into()),
        Kind::Enum(kind) => {
            let declared: Vec<i32> = kind.values().map(|value| value.number()).collect();
            Value::EnumNumber(if random.once_in(8) { bits as i32 } else { random.pick(&declared) })
        }
        Kind::Message(of) => Value::Message(message(types, &of, depth.saturating_sub(1), random)),
    }
}

/// Fills the well-known types whose values have rules; false for other messages.
fn known(types: &Types, message: &mut DynamicMessage, depth: usize, random: &mut Random) -> bool {
    match message.descriptor().full_name() {
        "google.protobuf.Timestamp" => {
            // Now and then one that lies outside of what has a JSON.
            let span = if random.once_in(20) { 400_000_000_000 } else { 253_402_300_800 };
            let before = if random.once_in(2) { 62_135_596_800 } else { 0 };
            message.set_field_by_name("seconds", Value::I64((random.next() % span) as i64 - before));
            message.set_field_by_name("nanos", Value::I32(nanos(random)));
        }
        "google.protobuf.Duration" => {
            let sign = random.pick(&[1, -1]);
            let seconds = (random.next() >> (20 + random.below(40))) as i64 % 315_576_000_001;
            message.set_field_by_name("seconds", Value::I64(seconds * i64::from(sign)));
            let nanos = nanos(random) * if random.once_in(20) { -sign } else { sign };
            message.set_field_by_name("nanos", Value::I32(nanos));
        }
        "google.protobuf.FieldMask" => {
            let paths =
                ["name", "weight_grams", "price.currency_code", "a.b.c_d", "*", "with_2", "Camel", "a__b", "end_"];
            let usual = if random.once_in(4) { paths.len() } else { 5 };
            let chosen = (0..random.below(3)).map(|_| Value::String(random.pick(&paths[..usual]).to_owned()));
            message.set_field_by_name("paths", Value::List(chosen.collect()));
        }
        "google.protobuf.Any" => any(types, message, depth, random),
        "google.protobuf.Value" => json_value(types, message, depth, random),
        _ => return false,
    }
    true
}

fn any(types: &Types, message: &mut DynamicMessage, depth: usize, random: &mut Random) {
    let inner = random.pick(&[
        "zoo.v1.Scalars",
        "zoo.v1.Choices",
        "google.protobuf.Duration",
        "google.protobuf.Empty",
        "zoo.v1.Known",
    ]);
    let Some(of) = types.pool.get_message_by_name(inner) else { return };
    let value = self::message(types, &of, depth.saturating_sub(1), random).encode_to_vec();
    message.set_field_by_name("type_url", Value::String(format!("type.googleapis.com/{inner}")));
    message.set_field_by_name("value", Value::Bytes(value.into()));
}

fn json_value(types: &Types, message: &mut DynamicMessage, depth: usize, random: &mut Random) {
    let fields: Vec<FieldDescriptor> = message.descriptor().fields().collect();
    let field = if depth == 0 { fields[random.below(4)].clone() } else { random.pick(&fields) };
    let value = match value(types, &field, depth, random) {
        // No JSON holds an infinite number; there is one now and then.
        Value::F64(number) if !number.is_finite() && !random.once_in(10) => Value::F64(1.5),
        Value::EnumNumber(_) => Value::EnumNumber(0),
        other => other,
    };
    message.set_field(&field, value);
}

fn nanos(random: &mut Random) -> i32 {
    let unit = random.pick(&[1, 1_000, 1_000_000, 1_000_000_000]);
    (random.next() % 1_000_000_000) as i32 / unit * unit
}

/// Texts that parsers disagree about, or may.
const TEXTS: [&str; 40] = [
    "",
    "1",
    "-1",
    "1.0",
    "1e2",
    "1.5",
    "0x1",
    " 1",
    "007",
    "NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "true",
    "SMALL",
    "1",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "2026-02-29T00:00:00Z",
    "2024-02-29T23:59:59.5+01:30",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "2026-01-01t00:00:00z",
    "1s",
    "1.5s",
    "-0.5s",
    "1.s",
    ".5s",
    "1e3s",
    "315576000000s",
    "315576000001s",
    "YQ==",
    "YQ",
    "_-8=",
    "/+8",
    "Y Q",
    "a,b",
    "aB.cD",
    "a_b",
];

/// Any JSON value.
pub(super) fn json(random: &mut Random) -> serde_json::Value {
    match random.below(9) {
        0 => serde_json::Value::Null,
        1 => json!(random.once_in(2)),
        2 => json!(random.pick(&[0_i64, 1, -1, 2_147_483_647, 2_147_483_648, -2_147_483_649, i64::MAX, i64::MIN])),
        3 => json!(random.pick(&[u64::MAX, 4_294_967_295, 4_294_967_296])),
        4 => json!(random.pick(&[1.5, 2.0, 1e2, -0.0, 1e300, 3.5e38, 1e-50])),
        5 => json!([json(random)]),
        6 => json!({random.text(): json(random)}),
        _ => json!(random.pick(&TEXTS)),
    }
}

/// Replaces, adds or takes away something in `value`.
pub(super) fn disturb(value: &mut serde_json::Value, random: &mut Random) {
    match value {
        serde_json::Value::Object(fields) if !fields.is_empty() && !random.once_in(8) => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            let key = random.pick(&keys);
            match random.below(8) {
                0 => drop(fields.remove(&key)),
                1 => drop(fields.insert(random.text(), json(random))),
                _ => disturb(&mut fields[&key], random),
            }
        }
        serde_json::Value::Array(items) if !items.is_empty() && !random.once_in(8) => {
            let at = random.below(items.len());
            disturb(&mut items[at], random);
        }
        other => *other = if random.once_in(10) { serde_json::Value::Object(Map::new()) } else { json(random) },
    }
}
