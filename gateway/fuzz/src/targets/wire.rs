//! The wire of any type to JSON, and back.

use crate::target::{Target, assert_json, first};
use crate::{
    generate::{Random, message},
    memory::within,
    zoo::named,
};
use prost::Message;
use std::sync::LazyLock;

static DICTIONARY: [&[u8]; 24] = [
    b"\x08",
    b"\x09",
    b"\x0a",
    b"\x0b",
    b"\x0c",
    b"\x0d",
    b"\x10",
    b"\x12",
    b"\x1a",
    b"\x22",
    b"\x5a\x00",
    b"\x2b\x2c",
    b"\x33\x34",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff\xff\xff\xff\x0f",
    b"\xfa\xff\xff\xff\x0f",
    b"\x00\x00\xc0\x7f",
    b"\x00\x00\x00\x00\x00\x00\xf0\x7f",
    b"\x00\x00\x00\x00\x00\x00\xf8\xff",
    b"type.googleapis.com/zoo.v1.Known",
    b"type.googleapis.com/google.protobuf.Any",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
];

pub const TARGET: Target = Target { name: "wire", seeds, dictionary: &DICTIONARY, vary, run };

/// The longest JSON of an empty message: two bytes on the wire may hold one.
static LONGEST: LazyLock<usize> = LazyLock::new(|| {
    let empty = |byte: u8| {
        let (types, _, rpc) = named(byte);
        types.router.write(rpc, &[]).map_or(0, |json| json.len())
    };
    (0..=u8::MAX).map(empty).max().unwrap_or_default()
});

fn seeds() -> Vec<Vec<u8>> {
    (0..=u8::MAX).map(|byte| made(byte, &mut Random(byte.into()))).collect()
}

fn made(byte: u8, random: &mut Random) -> Vec<u8> {
    let (types, of, _) = named(byte);
    let mut out = vec![byte];
    // Two in a row are one whose fields come out of order and in parts.
    for _ in 0..=random.below(2) {
        message(types, of, 2, random).encode(&mut out).expect("a vector takes all");
    }
    out
}

fn vary(_: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    Some(made(random.next().to_le_bytes()[0], random))
}

fn run(input: &[u8]) {
    let Some((byte, wire)) = first(input) else { return };
    let (types, _, rpc) = named(byte);
    // Two bytes hold a message, whose JSON names all its fields; a byte is a number, at most six characters, or a packed one
    // of an enum, which has a name.
    let longest = (*LONGEST / 2 + 64) * wire.len() + *LONGEST;
    let Ok(json) = within(2 * longest + 64 * 1024, || types.router.write(rpc, wire)) else { return };
    assert!(json.len() <= longest, "{} characters of {} bytes", json.len(), wire.len());
    assert_json(&json);
    let again = types.router.read(rpc, &json);
    let again = again.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&json)));
    let second = types.router.write(rpc, &again).expect("what was read is written");
    assert_eq!(String::from_utf8_lossy(&second), String::from_utf8_lossy(&json));
}
