//! The tables against the reflection of prost-reflect, which shares no code with them: the same messages and the same JSON,
//! there and back. `COUNT` messages of each kind, 100,000 by `make differential`.

use super::{
    generate::{Random, disturb, message},
    zoo::{OWN, Types, ZOO},
};
use crate::{wire::WireError, write::Options};
use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

const ZOO_TYPES: [&str; 10] = [
    "zoo.v1.Scalars",
    "zoo.v1.Optionals",
    "zoo.v1.Lists",
    "zoo.v1.Maps",
    "zoo.v1.Choices",
    "zoo.v1.Known",
    "zoo.v1.Names",
    "zoo.v1.Tree",
    "zoo.v1.Zoo",
    "zoo.v1.Old",
];

/// What prost-reflect refuses and is taken here, by its error: ProtoJSON wants it.
const TAKEN: [&str; 6] = [
    // Whole numbers in quotes may be written as 2.0 or 1e2, like those without.
    "invalid digit found in string",
    // Numbers of enums too.
    "invalid type: floating point",
    // The number of NULL_VALUE is 0.
    "invalid type: integer `0`, expected null",
    // An Any that holds nothing is {}.
    "expected '@type' field",
    // Empty is a message without fields, and needs no value.
    "expected 'value' field",
    // A mask may be spelt as the contract does.
    "invalid field mask",
];

/// What prost-reflect takes and is refused here, by the fault.
const REFUSED: [&str; 2] = [
    // Texts that are no numbers of JSON: `inf`, `007`, `.5`.
    "must be a number",
    // Texts that name no fields.
    "must be names of fields separated by commas, such as name,profile.bio",
];

fn count() -> u64 {
    std::env::var("COUNT").map_or(1_000, |count| count.parse().expect("COUNT is a number"))
}

/// Calls `test` with types in turn, a seed each.
fn each(test: impl Fn(&'static Types, &MessageDescriptor, &mut Random)) {
    let own: Vec<MessageDescriptor> = OWN
        .pool
        .all_messages()
        .filter(|message| message.package_name().starts_with("comptoir.") && !message.is_map_entry())
        .collect();
    for seed in 0..count() {
        let mut random = Random(seed);
        test(&ZOO, &ZOO.message(ZOO_TYPES[seed as usize % ZOO_TYPES.len()]), &mut random);
        test(&OWN, &own[seed as usize % own.len()], &mut random);
    }
}

pub(super) fn theirs(message: &DynamicMessage, options: &Options) -> Result<Value, String> {
    let serialize = SerializeOptions::new()
        .skip_default_fields(!options.shows_defaults)
        .use_proto_field_name(options.keeps_names)
        .use_enum_numbers(options.numbers_enums);
    let mut out = serde_json::Serializer::new(Vec::new());
    message.serialize_with_options(&mut out, &serialize).map_err(|error| error.to_string())?;
    serde_json::from_slice(&out.into_inner()).map_err(|error| error.to_string())
}

fn options(random: &mut Random) -> Options {
    Options { shows_defaults: random.once_in(2), keeps_names: random.once_in(4), numbers_enums: random.once_in(4) }
}

/// Equal, but for what is wrong on the right: serde_json rounds the last digit of some numbers wrongly, and prost-reflect
/// writes an infinite number in a wrapper as null.
pub(super) fn alike(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Null) => left.is_empty(),
        (Value::String(left), Value::Null) => matches!(left.as_str(), "NaN" | "Infinity" | "-Infinity"),
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64().unwrap_or_default(), right.as_f64().unwrap_or_default());
            left == right || ((left - right) / left).abs() < 1e-15
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| alike(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let is_there = |(key, left): (&String, &Value)| right.get(key).is_some_and(|right| alike(left, right));
            left.len() == right.len() && left.iter().all(is_there)
        }
        // The names of a mask may have spaces around them.
        (Value::String(left), Value::String(right)) => left == right || left == right.trim(),
        (left, right) => left == right,
    }
}

fn assert_alike(left: &DynamicMessage, right: &DynamicMessage, json: &str) {
    match (theirs(left, &Options::default()), theirs(right, &Options::default())) {
        (Ok(left), Ok(right)) => assert!(alike(&left, &right), "{json}\n{left}\n{right}"),
        (Err(_), Err(_)) => {}
        other => panic!("{json}: {other:?}"),
    }
}

#[test]
fn a_message_has_the_json_that_reflection_gives_it() {
    each(|types, of, random| {
        // Two encodings in a row are one message whose fields come out of order and in parts.
        let mut bytes = message(types, of, 3, random).encode_to_vec();
        if random.once_in(3) {
            bytes.extend(message(types, of, 3, random).encode_to_vec());
        }
        let options = options(random);
        let expected = theirs(&DynamicMessage::decode(of.clone(), bytes.as_slice()).expect("a message"), &options);
        let found = types.write(of.full_name(), &bytes, options);
        match (&expected, &found) {
            (Ok(expected), Ok(found)) => {
                let found: Value = serde_json::from_slice(found)
                    .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(found)));
                assert!(alike(&found, expected), "{} {options:?}\n{found}\n{expected}", of.full_name());
            }
            (Err(_), Err(_)) => {}
            // prost-reflect adds seconds and nanoseconds up that have two signs, which is no duration.
            (Ok(_), Err(WireError::NoJson("google.protobuf.Duration"))) => {}
            // prost-reflect loses an underscore at the end of a path.
            (Ok(_), Err(WireError::NoJson("google.protobuf.FieldMask"))) => {}
            (expected, found) => {
                panic!("{}: {:?}, {:?}", of.full_name(), expected.as_ref().map(|_| ()), found.as_ref().map(|_| ()))
            }
        }
    });
}

#[test]
fn the_json_of_a_message_is_read_as_that_message() {
    each(|types, of, random| {
        let message = message(types, of, 3, random);
        let Ok(json) = theirs(&message, &options(random)) else { return };
        let json = json.to_string();
        let bytes = types.read(of.full_name(), json.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}: {json}"));
        let found =
            DynamicMessage::decode(of.clone(), bytes.as_slice()).unwrap_or_else(|error| panic!("{error}: {json}"));
        let mut source = serde_json::Deserializer::from_str(&json);
        let expected = DynamicMessage::deserialize_with_options(of.clone(), &mut source, &DeserializeOptions::new());
        assert_alike(&found, &expected.unwrap(), &json);
    });
}

#[test]
fn json_that_is_disturbed_is_read_alike_or_refused_by_both() {
    each(|types, of, random| {
        let Ok(mut json) = theirs(&message(types, of, 3, random), &options(random)) else { return };
        disturb(&mut json, random);
        let json = json.to_string();
        let mut source = serde_json::Deserializer::from_str(&json);
        let expected = DynamicMessage::deserialize_with_options(of.clone(), &mut source, &DeserializeOptions::new());
        let found = types.read(of.full_name(), json.as_bytes());
        match (expected, found) {
            (Ok(expected), Ok(found)) => {
                let found = DynamicMessage::decode(of.clone(), found.as_slice()).expect("a message");
                assert_alike(&found, &expected, &json);
            }
            (Err(_), Err(_)) => {}
            (Ok(_), Err(faults)) if faults.iter().all(|fault| REFUSED.contains(&fault.description.as_str())) => {}
            (Err(error), Ok(_)) if TAKEN.iter().any(|taken| error.to_string().contains(taken)) => {}
            (expected, found) => {
                panic!("{}: {:?}, {:?}: {json}", of.full_name(), expected.map(|_| ()), found.map(|_| ()))
            }
        }
    });
}
