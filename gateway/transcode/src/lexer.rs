//! JSON as tokens (RFC 8259), from bytes that are there as a whole. Nothing is accepted that the grammar does not have.

use crate::wire::MAX_DEPTH;
use std::borrow::Cow;

/// JSON that is read only to be passed over nests at most so deep: a message in a list is two levels, its object and the list.
const MAX_SKIPPED: u32 = 2 * MAX_DEPTH;

/// Where and why the bytes are no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub at: usize,
    pub fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A character that the grammar does not have here.
    Malformed,
    BreaksOff,
    NotUtf8,
    /// Half of a pair of `\u` escapes that make one character.
    LoneSurrogate,
    TooDeep,
}

/// The first byte of a value tells what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Object,
    List,
    Text,
    Number,
    True,
    False,
    Null,
}

#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Whether bytes follow that are no UTF-8.
    is_cut: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Lexer { text, at: 0, is_cut: false },
            Err(error) => {
                let (valid, _) = bytes.split_at(error.valid_up_to());
                Lexer { text: std::str::from_utf8(valid).unwrap_or_default(), at: 0, is_cut: true }
            }
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a place that it was at.
    pub(crate) fn rewind(&mut self, at: usize) {
        self.at = at;
    }

    /// A place as a person finds it. Lines and columns are counted from 1, columns in bytes.
    pub(crate) fn place(&self, at: usize) -> String {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        format!("line {line} column {column}")
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn fail<T>(&self, fault: Fault) -> Result<T, Syntax> {
        let fault = match fault {
            Fault::Malformed if self.at >= self.text.len() && self.is_cut => Fault::NotUtf8,
            Fault::Malformed if self.at >= self.text.len() => Fault::BreaksOff,
            fault => fault,
        };
        Err(Syntax { at: self.at, fault })
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// What value comes next.
    pub(crate) fn start(&mut self) -> Result<Start, Syntax> {
        self.space();
        match self.byte() {
            Some(b'{') => Ok(Start::Object),
            Some(b'[') => Ok(Start::List),
            Some(b'"') => Ok(Start::Text),
            Some(b'-' | b'0'..=b'9') => Ok(Start::Number),
            Some(b't') => Ok(Start::True),
            Some(b'f') => Ok(Start::False),
            Some(b'n') => Ok(Start::Null),
            _ => self.fail(Fault::Malformed),
        }
    }

    /// Takes the bracket that opens an object or a list.
    pub(crate) fn open(&mut self) {
        self.at += 1;
    }

    /// The next key of an object that is open; none at its end, which is taken.
    pub(crate) fn key(&mut self, is_first: &mut bool) -> Result<Option<Cow<'a, str>>, Syntax> {
        if !self.goes_on(b'}', is_first)? {
            return Ok(None);
        }
        if self.byte() != Some(b'"') {
            return self.fail(Fault::Malformed);
        }
        let key = self.text()?;
        self.space();
        if self.byte() != Some(b':') {
            return self.fail(Fault::Malformed);
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Whether an element follows in a list that is open. Its end is taken.
    pub(crate) fn item(&mut self, is_first: &mut bool) -> Result<bool, Syntax> {
        self.goes_on(b']', is_first)
    }

    fn goes_on(&mut self, close: u8, is_first: &mut bool) -> Result<bool, Syntax> {
        self.space();
        let was_first = std::mem::replace(is_first, false);
        match self.byte() {
            Some(byte) if byte == close => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !was_first => self.at += 1,
            Some(_) if was_first => return Ok(true),
            _ => return self.fail(Fault::Malformed),
        }
        self.space();
        // A comma before the end is no JSON.
        if self.byte() == Some(close) { self.fail(Fault::Malformed) } else { Ok(true) }
    }

    /// Takes `true`, `false` or `null`.
    pub(crate) fn word(&mut self, word: &str) -> Result<(), Syntax> {
        for expected in word.bytes() {
            if self.byte() != Some(expected) {
                return self.fail(Fault::Malformed);
            }
            self.at += 1;
        }
        Ok(())
    }

    pub(crate) fn number(&mut self) -> Result<&'a str, Syntax> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        // A number has no zero in front (RFC 8259, section 6).
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    fn digits(&mut self) -> Result<(), Syntax> {
        if !self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.fail(Fault::Malformed);
        }
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    /// Takes a text. It is borrowed unless it has an escape.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Syntax> {
        self.at += 1;
        let plain = self.plain();
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                    text.push_str(self.plain());
                }
                _ => return self.fail(Fault::Malformed),
            }
        }
    }

    /// The characters up to the next one that does not stand for itself.
    fn plain(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = plain_length(rest.as_bytes());
        self.at += length;
        // All bytes that end it are ASCII, so a character is never cut.
        rest.get(..length).unwrap_or_default()
    }

    fn escape(&mut self) -> Result<char, Syntax> {
        let escaped = match self.byte() {
            Some(b'u') => return self.unicode(),
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return self.fail(Fault::Malformed),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// `\uXXXX`, or two of them for a character beyond U+FFFF.
    fn unicode(&mut self) -> Result<char, Syntax> {
        let first = self.unit()?;
        let code = match first {
            0xd800..=0xdbff => {
                if self.text.as_bytes().get(self.at..self.at + 2) != Some(b"\\u") {
                    return self.fail(Fault::LoneSurrogate);
                }
                self.at += 1;
                match self.unit()? {
                    second @ 0xdc00..=0xdfff => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                    _ => return self.fail(Fault::LoneSurrogate),
                }
            }
            code => code,
        };
        char::from_u32(code).map_or_else(|| self.fail(Fault::LoneSurrogate), Ok)
    }

    /// The four digits after `u`.
    fn unit(&mut self) -> Result<u32, Syntax> {
        let mut unit = 0;
        for _ in 0..4 {
            self.at += 1;
            match self.byte().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => unit = unit << 4 | digit,
                None => return self.fail(Fault::Malformed),
            }
        }
        self.at += 1;
        Ok(unit)
    }

    /// Takes the next value, whatever it is.
    pub(crate) fn skip(&mut self) -> Result<(), Syntax> {
        self.skip_within(0)
    }

    fn skip_within(&mut self, depth: u32) -> Result<(), Syntax> {
        let mut is_first = true;
        match self.start()? {
            Start::Object | Start::List if depth >= MAX_SKIPPED => return self.fail(Fault::TooDeep),
            Start::Object => {
                self.open();
                while self.key(&mut is_first)?.is_some() {
                    self.skip_within(depth + 1)?;
                }
            }
            Start::List => {
                self.open();
                while self.item(&mut is_first)? {
                    self.skip_within(depth + 1)?;
                }
            }
            Start::Text => drop(self.text()?),
            Start::Number => drop(self.number()?),
            Start::True => self.word("true")?,
            Start::False => self.word("false")?,
            Start::Null => self.word("null")?,
        }
        Ok(())
    }

    /// Nothing but white space may be left.
    pub(crate) fn finish(&mut self) -> Result<(), Syntax> {
        self.space();
        if self.at < self.text.len() || self.is_cut { self.fail(Fault::Malformed) } else { Ok(()) }
    }
}

/// How many bytes at the start of `bytes` stand for themselves in a JSON text: all but control characters, `"` and `\`.
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let mut at = 0;
    // Eight at a time: a byte below `n` borrows into its highest bit when `n` is taken away.
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word;
        let found = below(word, 0x20) | below(word ^ (ONES * 0x22), 1) | below(word ^ (ONES * 0x5c), 1);
        let found = found & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')).unwrap_or(rest.len())
}
