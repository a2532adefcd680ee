//! Single values: numbers, texts, bytes and enums.

use super::{Writer, Written};
use crate::{
    lexer::plain_length,
    schema::{EnumId, Field, Kind},
    wire::{Content, WireError},
};
use base64::{Engine, engine::general_purpose::STANDARD};

impl Writer<'_> {
    /// One value: of a singular field, or an element.
    pub(super) fn one(&mut self, field: &Field, content: Content, bytes: &[u8]) -> Written {
        match (field.kind, content) {
            (Kind::Message(id), Content::Bytes { start, end }) => {
                self.message(id, bytes.get(start..end).unwrap_or_default())?;
            }
            (Kind::String, Content::Bytes { start, end }) => {
                let text = std::str::from_utf8(bytes.get(start..end).unwrap_or_default());
                self.text(text.map_err(|_| WireError::Utf8(field.name.clone()))?);
            }
            (Kind::Bytes, Content::Bytes { start, end }) => self.base64(bytes.get(start..end).unwrap_or_default()),
            (kind, Content::Number(number)) => self.number(kind, number),
            (_, Content::Bytes { .. }) => return Err(WireError::WireType(field.name.clone())),
        }
        Ok(())
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        self.out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
        self.out.push(b'"');
    }

    fn number(&mut self, kind: Kind, number: u64) {
        let low = number.to_le_bytes();
        let [a, b, c, d, ..] = low;
        let low = u32::from_le_bytes([a, b, c, d]);
        let zigzag = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
        match kind {
            Kind::Int32 | Kind::Sfixed32 => self.whole(low.cast_signed()),
            Kind::Uint32 | Kind::Fixed32 => self.whole(low),
            Kind::Sint32 => self.whole((low >> 1).cast_signed() ^ -(low & 1).cast_signed()),
            Kind::Int64 | Kind::Sfixed64 => self.quoted(number.cast_signed()),
            Kind::Uint64 | Kind::Fixed64 => self.quoted(number),
            Kind::Sint64 => self.quoted(zigzag),
            Kind::Float => self.float(f32::from_bits(low)),
            Kind::Double => self.double(f64::from_bits(number)),
            Kind::Bool => self.out.extend_from_slice(if number == 0 { b"false" } else { b"true" }),
            Kind::Enum(id) => self.enumeration(id, low.cast_signed()),
            Kind::String | Kind::Bytes | Kind::Message(_) => {}
        }
    }

    fn whole(&mut self, value: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn quoted(&mut self, value: impl itoa::Integer) {
        self.out.push(b'"');
        self.whole(value);
        self.out.push(b'"');
    }

    fn double(&mut self, value: f64) {
        match unwritable(value) {
            Some(text) => self.out.extend_from_slice(text),
            None => self.out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes()),
        }
    }

    fn float(&mut self, value: f32) {
        match unwritable(f64::from(value)) {
            Some(text) => self.out.extend_from_slice(text),
            None => self.out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes()),
        }
    }

    fn enumeration(&mut self, id: EnumId, number: i32) {
        let kind = self.schema.enumeration(id);
        match kind.name(number) {
            _ if kind.is_null => self.out.extend_from_slice(b"null"),
            Some(name) if !self.options.numbers_enums => self.text(name),
            // A newer service may send a number that this contract does not name.
            _ => self.whole(number),
        }
    }

    /// A JSON text in quotes.
    pub(super) fn text(&mut self, text: &str) {
        self.out.push(b'"');
        let mut rest = text.as_bytes();
        loop {
            let (plain, special) = rest.split_at(plain_length(rest));
            self.out.extend_from_slice(plain);
            let Some((byte, after)) = special.split_first() else { break };
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                other => self.out.extend_from_slice(format!("\\u{other:04x}").as_bytes()),
            }
            rest = after;
        }
        self.out.push(b'"');
    }
}

/// What JSON has no number for, as ProtoJSON writes it.
fn unwritable(value: f64) -> Option<&'static [u8]> {
    match value {
        value if value.is_nan() => Some(b"\"NaN\""),
        f64::INFINITY => Some(b"\"Infinity\""),
        f64::NEG_INFINITY => Some(b"\"-Infinity\""),
        _ => None,
    }
}
