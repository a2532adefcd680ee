//! Replies that are no usual ones: what `make fuzz` has found.

use super::zoo::ZOO;
use crate::{wire::WireError, write::Options};
use prost::Message;
use prost_reflect::prost_types::FieldMask;

fn written(of: &str, bytes: &[u8]) -> Result<String, WireError> {
    let options = Options { shows_defaults: false, ..Options::default() };
    ZOO.write(of, bytes, options).map(|json| String::from_utf8(json).unwrap())
}

#[test]
fn a_key_of_a_map_is_written_once_whatever_its_form_on_the_wire() {
    let entries = |entries: &[&[u8]]| -> Vec<u8> {
        entries.iter().flat_map(|entry| [&[0x1a, entry.len() as u8], *entry].concat()).collect()
    };
    let one = 1.0_f64.to_le_bytes();
    let flag = |key: &[u8]| [key, &[0x11], one.as_slice()].concat();
    // Any varint but 0 is true; no key is false.
    let twice = entries(&[&flag(&[8, 2]), &flag(&[8, 1]), &flag(&[8, 0]), &flag(&[])]);
    assert_eq!(written("zoo.v1.Maps", &twice).unwrap(), r#"{"flags":{"true":1.0,"false":1.0}}"#);
    // Of a number of 32 bits, the low ones count.
    let number = [0x12, 10, 8, 0x81, 0x80, 0x80, 0x80, 0x10, 0x10, 5, 0x18, 0, 0x12, 4, 8, 1, 0x10, 6];
    assert_eq!(written("zoo.v1.Maps", &number).unwrap(), r#"{"numbers":{"1":"6"}}"#);
}

#[test]
fn a_mask_is_written_only_when_it_would_be_read_as_it_is() {
    let mask = |paths: &[&str]| {
        let mask = FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() };
        written("google.protobuf.FieldMask", &mask.encode_to_vec())
    };
    assert_eq!(mask(&["weight_grams", "a.b_c", "*", "x2"]).unwrap(), r#""weightGrams,a.bC,*,x2""#);
    for path in ["", "a,b", "a b", " a", "a}b", "é", "a*", "a_2", "aB", "a__b", "a_"] {
        assert_eq!(mask(&["a", path]), Err(WireError::NoJson("google.protobuf.FieldMask")), "{path:?}");
    }
    assert_eq!(mask(&["", "a"]), Err(WireError::NoJson("google.protobuf.FieldMask")));
}
