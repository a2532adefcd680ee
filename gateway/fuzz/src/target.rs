//! What is run on an input, and what must hold of it. Each asserts; an input is broken when it panics.

use crate::generate::Random;
use serde::de::IgnoredAny;
use transcode::Error;

/// One of them.
pub struct Target {
    pub name: &'static str,
    /// What the first inputs are.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words of its language.
    pub dictionary: &'static [&'static [u8]],
    /// An input that is changed by who knows its form, or a new one; none when the input has not the form.
    pub vary: fn(&[u8], &mut Random) -> Option<Vec<u8>>,
    pub run: fn(&[u8]),
}

/// For targets whose inputs have no form but their bytes.
pub fn unvaried(_: &[u8], _: &mut Random) -> Option<Vec<u8>> {
    None
}

/// The first byte of an input, and the rest; none of an empty one.
pub fn first(input: &[u8]) -> Option<(u8, &[u8])> {
    input.split_first().map(|(first, rest)| (*first, rest))
}

/// Asserts that `json` is JSON. What nests deeper than serde_json reads is left to who wrote it.
pub fn assert_json(json: &[u8]) {
    let mut depth = 0_usize;
    let deepest = json.iter().map(|byte| {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth
    });
    if deepest.max() < Some(100) {
        let read = serde_json::from_slice::<IgnoredAny>(json);
        assert!(read.is_ok(), "{:?}: {}", read.err(), String::from_utf8_lossy(json));
    }
}

/// Whether a message has no JSON because of a mask: what is taken in the contract's spelling, such as `line_2`, is no name that
/// ProtoJSON could give back.
pub fn is_mask(error: &Error) -> bool {
    let source = match error {
        Error::Reply { source, .. } => source.to_string(),
        _ => String::new(),
    };
    source == "a google.protobuf.FieldMask has a value without JSON"
}
