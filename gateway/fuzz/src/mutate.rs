//! New inputs from old ones.

use crate::generate::Random;

/// An input is at most so long, but for the rare one that says the same over and over.
const MAX_BYTES: usize = 1024;
const MAX_LONG_BYTES: usize = 64 * 1024;

/// A few edits of `input`, in which pieces of `other` and words of the dictionary may come.
pub fn mutate(input: &[u8], other: &[u8], dictionary: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..=random.below(4) {
        edit(&mut out, other, dictionary, random);
    }
    if random.once_in(4000) {
        repeat(&mut out, random);
        out.truncate(MAX_LONG_BYTES);
    } else {
        out.truncate(MAX_BYTES);
    }
    out
}

fn edit(out: &mut Vec<u8>, other: &[u8], dictionary: &[&[u8]], random: &mut Random) {
    let at = random.below(out.len() + 1);
    match random.below(9) {
        0 => change(out, at, |byte, random| byte ^ 1 << random.below(8), random),
        1 => change(out, at, |_, random| random.pick(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'\\', b'%', b'/', b'0']), random),
        2 => change(out, at, |byte, random| byte.wrapping_add(random.pick(&[1, 0xff, 8, 0xf8])), random),
        3 => {
            let end = (at + 1 + random.below(8)).min(out.len());
            out.drain(at..end.max(at));
        }
        4 | 5 if !dictionary.is_empty() => insert(out, at, random.pick(dictionary)),
        6 => insert(out, at, piece(other, random)),
        7 => {
            let own = piece(out, random).to_vec();
            insert(out, at, &own);
        }
        _ => insert(out, at, &[random.next().to_le_bytes()[0]]),
    }
}

fn change(out: &mut [u8], at: usize, to: impl Fn(u8, &mut Random) -> u8, random: &mut Random) {
    if let Some(byte) = out.get_mut(at) {
        *byte = to(*byte, random);
    }
}

fn insert(out: &mut Vec<u8>, at: usize, piece: &[u8]) {
    out.splice(at..at, piece.iter().copied());
}

fn piece<'p>(of: &'p [u8], random: &mut Random) -> &'p [u8] {
    let start = random.below(of.len() + 1);
    let longest = if random.once_in(4) { of.len() } else { 16 };
    of.get(start..).map(|rest| &rest[..rest.len().min(random.below(longest + 1))]).unwrap_or_default()
}

/// Says a piece very often, so that it nests or lasts.
fn repeat(out: &mut Vec<u8>, random: &mut Random) {
    let own = piece(out, random).to_vec();
    let at = random.below(out.len() + 1);
    let times = random.next() >> (48 + random.below(14));
    let long: Vec<u8> = own.iter().copied().cycle().take(own.len() * times as usize % MAX_LONG_BYTES).collect();
    insert(out, at, &long);
}
