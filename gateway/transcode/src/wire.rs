//! The wire format of protobuf: varints, tags and lengths, written into a buffer and read from a slice.

use prost::encoding::{decode_varint, encode_varint};

/// Messages nest at most so deep: what the parsers of protobuf itself, and so all services, read.
pub(crate) const MAX_DEPTH: u32 = 100;

/// Why bytes are not the message that they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the message breaks off")]
    Truncated,
    #[error("a varint is longer than ten bytes, or breaks off")]
    Varint,
    #[error("field number {0} is no field number")]
    Number(u64),
    #[error("field {0} has a wire type that its kind does not have")]
    WireType(Box<str>),
    #[error("a group ends that has not begun, or does not end")]
    Group,
    #[error("{0} is not UTF-8")]
    Utf8(Box<str>),
    #[error("messages nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A well-known type has a value that has no JSON.
    #[error("a {0} has a value without JSON")]
    NoJson(&'static str),
    #[error("{0:?} is the type of no message that is known")]
    UnknownType(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireType {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    GroupStart = 3,
    GroupEnd = 4,
    Fixed32 = 5,
}

/// What one field holds: a number of up to 64 bits, or a range of bytes of the message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    Number(u64),
    Bytes { start: usize, end: usize },
}

pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: WireType) {
    put_varint(out, u64::from(number) << 3 | wire_type as u64);
}

pub(crate) fn put_varint(out: &mut Vec<u8>, value: u64) {
    encode_varint(value, out);
}

/// A field of bytes, whole.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, WireType::Bytes);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Begins what is written with its length in front: the length is put in by [`end`], with the place that this answers.
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Ends what began at `start`. Most lengths fit the one byte that was kept free; a longer one moves what follows.
pub(crate) fn end(out: &mut Vec<u8>, start: usize) {
    let mut length = out.len() - start;
    let extra = prost::encoding::encoded_len_varint(length as u64) - 1;
    if extra > 0 {
        let content = out.len();
        out.resize(content + extra, 0);
        out.copy_within(start..content, start + extra);
    }
    for byte in out.iter_mut().skip(start - 1).take(extra + 1) {
        let more = if length > 0x7f { 0x80 } else { 0 };
        *byte = u8::try_from(length & 0x7f).unwrap_or_default() | more;
        length >>= 7;
    }
}

/// Reads a message field by field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn varint(&mut self) -> Result<u64, WireError> {
        let mut rest = self.rest();
        let before = rest.len();
        let value = decode_varint(&mut rest).map_err(|_| WireError::Varint)?;
        self.at += before - rest.len();
        Ok(value)
    }

    pub(crate) fn fixed32(&mut self) -> Result<u64, WireError> {
        let bytes = self.rest().first_chunk::<4>().ok_or(WireError::Truncated)?;
        self.at += bytes.len();
        Ok(u64::from(u32::from_le_bytes(*bytes)))
    }

    pub(crate) fn fixed64(&mut self) -> Result<u64, WireError> {
        let bytes = self.rest().first_chunk::<8>().ok_or(WireError::Truncated)?;
        self.at += bytes.len();
        Ok(u64::from_le_bytes(*bytes))
    }

    fn tag(&mut self) -> Result<(u32, WireType), WireError> {
        let tag = self.varint()?;
        let wire_type = match tag & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Bytes,
            3 => WireType::GroupStart,
            4 => WireType::GroupEnd,
            5 => WireType::Fixed32,
            _ => return Err(WireError::Number(tag >> 3)),
        };
        match u32::try_from(tag >> 3) {
            Ok(number @ 1..=0x1fff_ffff) => Ok((number, wire_type)),
            _ => Err(WireError::Number(tag >> 3)),
        }
    }

    /// The next field: its number, its wire type, and what it holds. None at the end.
    pub(crate) fn field(&mut self) -> Result<Option<(u32, WireType, Content)>, WireError> {
        if self.is_at_end() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        Ok(Some((number, wire_type, self.content(number, wire_type)?)))
    }

    /// A number of this wire type.
    pub(crate) fn number(&mut self, wire_type: WireType) -> Result<u64, WireError> {
        match wire_type {
            WireType::Fixed32 => self.fixed32(),
            WireType::Fixed64 => self.fixed64(),
            _ => self.varint(),
        }
    }

    fn content(&mut self, number: u32, wire_type: WireType) -> Result<Content, WireError> {
        match wire_type {
            WireType::Varint => self.varint().map(Content::Number),
            WireType::Fixed64 => self.fixed64().map(Content::Number),
            WireType::Fixed32 => self.fixed32().map(Content::Number),
            WireType::Bytes => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                let start = self.at;
                let end = start.checked_add(length).filter(|end| *end <= self.bytes.len());
                self.at = end.ok_or(WireError::Truncated)?;
                Ok(Content::Bytes { start, end: self.at })
            }
            WireType::GroupStart => self.group(number),
            WireType::GroupEnd => Err(WireError::Group),
        }
    }

    /// What a group holds. Groups nest; a list of those that are open needs no stack of calls.
    fn group(&mut self, number: u32) -> Result<Content, WireError> {
        let start = self.at;
        let mut open = vec![number];
        while let Some(innermost) = open.last().copied() {
            let end = self.at;
            if self.is_at_end() {
                return Err(WireError::Group);
            }
            match self.tag()? {
                (number, WireType::GroupStart) if open.len() < MAX_DEPTH as usize => open.push(number),
                (_, WireType::GroupStart) => return Err(WireError::TooDeep),
                (number, WireType::GroupEnd) if number == innermost => {
                    open.pop();
                    if open.is_empty() {
                        return Ok(Content::Bytes { start, end });
                    }
                }
                (_, WireType::GroupEnd) => return Err(WireError::Group),
                (number, other) => drop(self.content(number, other)?),
            }
        }
        Err(WireError::Group)
    }
}
