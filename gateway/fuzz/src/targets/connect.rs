//! The messages of a Connect stream, whatever the pieces in which its body comes.

use crate::target::{Target, first};
use crate::{
    generate::Random,
    memory::{bound, within},
};
use bytes::Bytes;
use futures::executor::block_on;
use gateway::fuzzing::connect_messages;

/// What a body is taken apart into: messages, and why reading ended early.
type Messages = (Vec<Bytes>, Option<String>);

/// The bound of a message, so that inputs pass it.
const LIMIT_BYTES: usize = 200;

static DICTIONARY: [&[u8]; 8] = [
    b"\0\0\0\0\0",
    b"\0\0\0\0\x01a",
    b"\0\0\0\0\xc8",
    b"\0\0\0\0\xc9",
    b"\x01\0\0\0\0",
    b"\x02\0\0\0\0",
    b"\x80\0\0\0\0",
    b"\xff\xff\xff\xff\xff",
];

pub const TARGET: Target = Target { name: "connect", seeds, dictionary: &DICTIONARY, vary, run };

fn seeds() -> Vec<Vec<u8>> {
    (0..64).filter_map(|seed| vary(&[], &mut Random(seed))).collect()
}

/// A byte for the cut, then messages.
fn vary(_: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut out = vec![random.next().to_le_bytes()[0]];
    for _ in 0..random.below(4) {
        let length = random.pick(&[0, 1, 2, 30, LIMIT_BYTES, LIMIT_BYTES + 1]);
        out.push(random.pick(&[0, 0, 0, 0, 0, 0, 1, 2, 0x80]));
        out.extend(u32::try_from(length).ok()?.to_be_bytes());
        out.resize(out.len() + length, b'm');
    }
    Some(out)
}

fn run(input: &[u8]) {
    let Some((cut, body)) = first(input) else { return };
    let expected = plain(body);
    let read = |pieces: Vec<Bytes>| within(bound(body.len()), || block_on(connect_messages(pieces, LIMIT_BYTES)));
    let body = Bytes::copy_from_slice(body);
    let cut = usize::from(cut) % (body.len() + 1);
    for pieces in [
        vec![body.clone()],
        (0..body.len()).map(|at| body.slice(at..=at)).collect(),
        vec![body.slice(..cut), Bytes::new(), body.slice(cut..)],
    ] {
        let count = pieces.len();
        assert_eq!(read(pieces), expected, "{count} pieces");
    }
}

/// The same as the protocol has it, of a body that is there as a whole.
fn plain(mut body: &[u8]) -> Messages {
    let mut messages = Vec::new();
    let ended = loop {
        match body {
            [] => break None,
            [0, a, b, c, d, rest @ ..] => {
                let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                if length > LIMIT_BYTES {
                    break Some("BODY_TOO_LARGE");
                }
                let Some((message, after)) = rest.split_at_checked(length) else { break Some("BODY_INCOMPLETE") };
                messages.push(Bytes::copy_from_slice(message));
                body = after;
            }
            [_] | [_, _] | [_, _, _] | [_, _, _, _] => break Some("BODY_INCOMPLETE"),
            [1, ..] => break Some("UNSUPPORTED_CONTENT_CODING"),
            _ => break Some("BODY_MALFORMED"),
        }
    };
    (messages, ended.map(str::to_owned))
}
