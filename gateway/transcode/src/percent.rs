//! Percent-decoding of paths (RFC 3986) and of queries and forms, where `+` is a space as well.

use std::borrow::Cow;

/// Which characters stand for themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One path segment: everything is decoded.
    Segment,
    /// Part of a capture over several segments: `%2F` stays as it is, so that it does not become a separator.
    Capture,
    /// A name or value of a query or form: `+` is a space.
    Form,
}

/// Decodes `text` once. The error says what is wrong.
pub(crate) fn decode(text: &str, mode: Mode) -> Result<Cow<'_, str>, &'static str> {
    if !text.bytes().any(|byte| byte == b'%' || (byte == b'+' && mode == Mode::Form)) {
        return Ok(Cow::Borrowed(text));
    }
    String::from_utf8(bytes(text, mode)?).map(Cow::Owned).map_err(|_| "decodes to something that is not UTF-8")
}

fn bytes(text: &str, mode: Mode) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let (high, low) = (bytes.next(), bytes.next());
                match (high.and_then(hex), low.and_then(hex)) {
                    // A decoded slash would become a separator of segments.
                    (Some(2), Some(15)) if mode == Mode::Capture => out.extend_from_slice(b"%2F"),
                    (Some(high), Some(low)) => out.push(high << 4 | low),
                    (None, _) | (_, None) => return Err("a % is not followed by two hexadecimal digits"),
                }
            }
            b'+' if mode == Mode::Form => out.push(b' '),
            other => out.push(other),
        }
    }
    Ok(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The parameters of a query: names and the bytes of their values, which need not be UTF-8.
pub fn query(query: &str) -> impl Iterator<Item = (String, Result<Vec<u8>, &'static str>)> + '_ {
    pairs(query).map(|pair| {
        let name = pair.name().map_or_else(|| pair.name.to_owned(), Cow::into_owned);
        (name, bytes(pair.value, Mode::Form))
    })
}

/// One parameter of a query or field of a form, still encoded.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> Pair<'a> {
    pub(crate) fn decode(self) -> Result<(Cow<'a, str>, Cow<'a, str>), &'static str> {
        Ok((decode(self.name, Mode::Form)?, decode(self.value, Mode::Form)?))
    }

    /// The name, when it can be decoded.
    pub(crate) fn name(self) -> Option<Cow<'a, str>> {
        decode(self.name, Mode::Form).ok()
    }
}

/// The pairs of a query or form, in order. A name without `=` has the empty value.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = Pair<'_>> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Pair { name, value }
    })
}
