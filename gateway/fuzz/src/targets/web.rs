//! Bodies of gRPC-Web, in base64 or not: what the service hears, and what the caller is told.

use crate::target::{Target, first};
use crate::{
    generate::Random,
    memory::{bound, within},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::executor::block_on;
use gateway::fuzzing::grpc_web;
use tonic::Code;

static DICTIONARY: [&[u8]; 8] =
    [b"AAAAAAA=", b"=", b"==", b"AAAA", b"-", b"\0\0\0\0\0", b"\x80\0\0\0\x0f", b"grpc-status:0\r\n"];

pub const TARGET: Target = Target { name: "web", seeds, dictionary: &DICTIONARY, vary, run };

fn seeds() -> Vec<Vec<u8>> {
    (0..64).filter_map(|seed| vary(&[], &mut Random(seed))).collect()
}

/// A byte for the form and one for the cut, then the body.
fn vary(_: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut message = vec![0, 0, 0, 0, u8::try_from(random.below(40)).ok()?];
    message.resize(5 + usize::from(message[4]), b'm');
    let [form, cut, ..] = random.next().to_le_bytes();
    let body = if form & 1 == 1 { STANDARD.encode(message).into_bytes() } else { message };
    Some([&[form, cut], body.as_slice()].concat())
}

fn run(input: &[u8]) {
    let Some((form, rest)) = first(input) else { return };
    let Some((cut, body)) = first(rest) else { return };
    let is_text = form & 1 == 1;
    let body = Bytes::copy_from_slice(body);
    let cut = usize::from(cut) % (body.len() + 1);
    // tonic-web reads base64 that is padded in its midst where a piece ends there, and else refuses it. No client sends it.
    if is_text && body.windows(2).any(|pair| pair[0] == b'=' && pair[1] != b'=') {
        return;
    }
    // What is not base64, or not all of it, ends what the service hears; how much it heard before depends on the pieces.
    let expected = if is_text { STANDARD.decode(&body).ok().map(Bytes::from) } else { Some(body.clone()) };
    for pieces in [
        vec![body.clone()],
        (0..body.len()).map(|at| body.slice(at..=at)).collect(),
        vec![body.slice(..cut), Bytes::new(), body.slice(cut..)],
    ] {
        let count = pieces.len();
        let (heard, told) = within(bound(body.len()), || block_on(grpc_web(is_text, pieces)));
        assert_eq!(heard, expected, "{count} pieces");
        match heard {
            Some(heard) => assert_told(is_text, &told.expect("a reply"), &heard),
            None => assert_eq!(told, Err(Code::InvalidArgument), "{count} pieces"),
        }
    }
}

/// The caller is told what the service answers, which is what it heard, then the trailers.
fn assert_told(is_text: bool, told: &[u8], heard: &[u8]) {
    let told = if is_text { parts(told) } else { told.to_vec() };
    let trailers = told.strip_prefix(heard).expect("what was heard comes back");
    let expected = b"grpc-status:0\r\n";
    assert_eq!(trailers.first_chunk::<5>(), Some(&[0x80, 0, 0, 0, 15]));
    assert_eq!(trailers.get(5..), Some(expected.as_slice()));
}

/// What parts in base64 hold, each with its own padding.
fn parts(told: &[u8]) -> Vec<u8> {
    told.chunks(4).flat_map(|part| STANDARD.decode(part).expect("base64")).collect()
}
