//! JSON of any type to the wire, and back.

use crate::target::{Target, assert_json, first, is_mask};
use crate::{
    generate::{Random, disturb, message},
    memory::{bound, within},
    zoo::named,
};
use prost::Message;
use transcode::{Error, MAX_VIOLATIONS};

pub static DICTIONARY: [&[u8]; 42] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"null",
    b"true",
    b"false",
    b"-",
    b"0",
    b"1e2",
    b"1.5",
    b"\\u0041",
    b"\\ud83d\\ude00",
    b"\\ud800",
    b"\\n",
    b"\\",
    b"\"@type\":",
    b"\"value\":",
    b"type.googleapis.com/",
    b"zoo.v1.Known",
    b"google.protobuf.Duration",
    b"google.protobuf.Any",
    b"google.protobuf.Value",
    b"google.protobuf.Struct",
    b"\"NaN\"",
    b"\"Infinity\"",
    b"9223372036854775807",
    b"18446744073709551616",
    b"4294967295",
    b"2026-02-28T23:59:59.999999999Z",
    b"+01:30",
    b"315576000000s",
    b"-0.000000001s",
    b"_-8=",
    b"a_b,cD.e",
    b"\xf0\x9f\x98\x80",
    b"\xff",
    b" ",
    b"SMALL",
];

pub const TARGET: Target = Target { name: "json", seeds, dictionary: &DICTIONARY, vary, run };

/// A message of each type, as it is written.
fn seeds() -> Vec<Vec<u8>> {
    (0..=u8::MAX).filter_map(|byte| made(byte, &mut Random(byte.into()))).collect()
}

fn made(byte: u8, random: &mut Random) -> Option<Vec<u8>> {
    let (types, of, rpc) = named(byte);
    let json = types.router.write(rpc, &message(types, of, 2, random).encode_to_vec()).ok()?;
    Some([&[byte], json.as_slice()].concat())
}

fn vary(input: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    if random.once_in(4) {
        return made(random.next().to_le_bytes()[0], random);
    }
    let (byte, json) = first(input)?;
    let mut value = serde_json::from_slice(json).ok()?;
    disturb(&mut value, random);
    Some([&[byte], value.to_string().as_bytes()].concat())
}

fn run(input: &[u8]) {
    let Some((byte, json)) = first(input) else { return };
    let (types, _, rpc) = named(byte);
    let (router, bound) = (&types.router, bound(json.len()));
    let wire = match within(bound, || router.read(rpc, json)) {
        Ok(wire) => wire,
        Err(Error::Invalid(faults)) => return assert!((1..=MAX_VIOLATIONS).contains(&faults.len())),
        Err(other) => panic!("{other}"),
    };
    assert!(wire.len() <= 16 * json.len() + 64, "{} bytes of {}", wire.len(), json.len());
    // What was accepted has one JSON, and that is read as the same message.
    let written = match router.write(rpc, &wire) {
        Ok(written) => written,
        Err(error) => return assert!(is_mask(&error), "{error:?}"),
    };
    assert_json(&written);
    let again =
        router.read(rpc, &written).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&written)));
    let second = router.write(rpc, &again).expect("what was read is written");
    assert_eq!(String::from_utf8_lossy(&second), String::from_utf8_lossy(&written));
}
