//! Scalars, enums and the well-known types whose JSON is a text: from JSON, or from the text of a path, query, form or
//! header, to the wire.

use crate::{
    lexer::Lexer,
    mask_text, number,
    schema::{Field, Form, Kind, MessageId, Schema},
    time,
    wire::{self, WireType},
};
use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use std::borrow::Cow;

/// Base64 with padding or without, whatever bits the last character has left over.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// A JSON value that is neither an object nor a list.
#[derive(Clone, Debug)]
pub(crate) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(&'a str),
    Bool(bool),
    Null,
}

/// The value does not fit its field. What would fit says [`expected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit;

/// The wire type of a value of `kind` that stands alone.
pub(crate) fn wire_type(kind: Kind) -> WireType {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => WireType::Fixed64,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => WireType::Fixed32,
        Kind::String | Kind::Bytes | Kind::Message(_) => WireType::Bytes,
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Bool
        | Kind::Enum(_) => WireType::Varint,
    }
}

/// Writes a scalar or an enum, without its tag.
pub(crate) fn put(schema: &Schema, kind: Kind, value: &Scalar<'_>, out: &mut Vec<u8>) -> Result<(), Unfit> {
    match kind {
        Kind::Int32 => wire::put_varint(out, i64::from(whole::<i32>(value)?).cast_unsigned()),
        Kind::Int64 => wire::put_varint(out, whole::<i64>(value)?.cast_unsigned()),
        Kind::Uint32 => wire::put_varint(out, u64::from(whole::<u32>(value)?)),
        Kind::Uint64 => wire::put_varint(out, whole::<u64>(value)?),
        Kind::Sint32 => wire::put_varint(out, zigzag(i64::from(whole::<i32>(value)?))),
        Kind::Sint64 => wire::put_varint(out, zigzag(whole::<i64>(value)?)),
        Kind::Fixed32 => out.extend_from_slice(&whole::<u32>(value)?.to_le_bytes()),
        Kind::Fixed64 => out.extend_from_slice(&whole::<u64>(value)?.to_le_bytes()),
        Kind::Sfixed32 => out.extend_from_slice(&whole::<i32>(value)?.to_le_bytes()),
        Kind::Sfixed64 => out.extend_from_slice(&whole::<i64>(value)?.to_le_bytes()),
        Kind::Double => out.extend_from_slice(&double(value)?.to_le_bytes()),
        Kind::Float => out.extend_from_slice(&float(value)?.to_le_bytes()),
        Kind::Bool => match value {
            Scalar::Bool(value) => wire::put_varint(out, u64::from(*value)),
            Scalar::Text(_) | Scalar::Number(_) | Scalar::Null => return Err(Unfit),
        },
        Kind::String => put_sized(out, text(value)?.as_bytes()),
        Kind::Bytes => put_sized(out, &bytes(text(value)?)?),
        Kind::Enum(id) => {
            let kind = schema.enumeration(id);
            let number = match value {
                Scalar::Text(name) => kind.number(name).ok_or(Unfit)?,
                // A newer contract may have a number that this one does not name; null has but one.
                Scalar::Number(_) => {
                    whole::<i32>(value).ok().filter(|number| !kind.is_null || *number == 0).ok_or(Unfit)?
                }
                Scalar::Null if kind.is_null => 0,
                Scalar::Bool(_) | Scalar::Null => return Err(Unfit),
            };
            wire::put_varint(out, i64::from(number).cast_unsigned());
        }
        Kind::Message(_) => return Err(Unfit),
    }
    Ok(())
}

/// Writes what a message of type `id` holds, for those whose JSON is a scalar. The caller writes tag and length.
pub(crate) fn put_known(schema: &Schema, id: MessageId, value: &Scalar<'_>, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let message = schema.message(id);
    match message.form {
        Form::Timestamp => put_time(out, time::parse_timestamp(text(value)?).ok_or(Unfit)?),
        Form::Duration => put_time(out, time::parse_duration(text(value)?).ok_or(Unfit)?),
        Form::FieldMask => {
            for path in mask_text::paths(text(value)?).ok_or(Unfit)? {
                wire::put_bytes(out, 1, path.as_bytes());
            }
        }
        Form::Wrapper => {
            let inner = message.fields.first().ok_or(Unfit)?;
            wire::put_tag(out, inner.number, wire_type(inner.kind));
            put(schema, inner.kind, value, out)?;
        }
        Form::Plain | Form::Any | Form::List | Form::Struct | Form::Value => return Err(Unfit),
    }
    Ok(())
}

/// Writes `field` with its tag, from the text of a path, query, form or header; one element of a repeated field.
pub(crate) fn put_text(schema: &Schema, field: &Field, text: &str, out: &mut Vec<u8>) -> Result<(), Unfit> {
    let kind = match field.kind {
        Kind::Message(id) if schema.message(id).form == Form::Wrapper => {
            schema.message(id).fields.first().map_or(field.kind, |inner| inner.kind)
        }
        kind => kind,
    };
    let value = match (kind, text) {
        (Kind::Bool, "true") => Scalar::Bool(true),
        (Kind::Bool, "false") => Scalar::Bool(false),
        (Kind::Enum(_), number) if number.parse::<i32>().is_ok() => Scalar::Number(number),
        (_, text) => Scalar::Text(Cow::Borrowed(text)),
    };
    wire::put_tag(out, field.number, wire_type(field.kind));
    match field.kind {
        Kind::Message(id) => {
            let start = wire::begin(out);
            put_known(schema, id, &value, out)?;
            wire::end(out, start);
            Ok(())
        }
        kind => put(schema, kind, &value, out),
    }
}

/// Writes the key of a map entry, with its tag. The answer is the key in its one form, so that equal keys are found.
pub(crate) fn put_key<'a>(
    schema: &Schema,
    field: &Field,
    key: Cow<'a, str>,
    out: &mut Vec<u8>,
) -> Result<Cow<'a, str>, Unfit> {
    wire::put_tag(out, field.number, wire_type(field.kind));
    let (value, key) = match field.kind {
        Kind::String => {
            put_sized(out, key.as_bytes());
            return Ok(key);
        }
        Kind::Bool => match key.as_ref() {
            "true" => (Scalar::Bool(true), key),
            "false" => (Scalar::Bool(false), key),
            _ => return Err(Unfit),
        },
        _ => (Scalar::Text(key.clone()), number::whole(&key).ok_or(Unfit)?.to_string().into()),
    };
    put(schema, field.kind, &value, out)?;
    Ok(key)
}

pub(crate) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    wire::put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The seconds and nanoseconds of a `Timestamp` or `Duration`.
fn put_time(out: &mut Vec<u8>, (seconds, nanos): (i64, i32)) {
    for (number, value) in [(1, seconds), (2, i64::from(nanos))] {
        if value != 0 {
            wire::put_tag(out, number, WireType::Varint);
            wire::put_varint(out, value.cast_unsigned());
        }
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn text<'v>(value: &'v Scalar<'_>) -> Result<&'v str, Unfit> {
    match value {
        Scalar::Text(text) => Ok(text),
        Scalar::Number(_) | Scalar::Bool(_) | Scalar::Null => Err(Unfit),
    }
}

fn whole<N: TryFrom<i128>>(value: &Scalar<'_>) -> Result<N, Unfit> {
    let digits = match value {
        Scalar::Text(text) => text,
        Scalar::Number(number) => *number,
        Scalar::Bool(_) | Scalar::Null => return Err(Unfit),
    };
    number::whole(digits).and_then(|value| N::try_from(value).ok()).ok_or(Unfit)
}

fn double(value: &Scalar<'_>) -> Result<f64, Unfit> {
    match text(value) {
        Ok("NaN") => Ok(f64::NAN),
        Ok("Infinity") => Ok(f64::INFINITY),
        Ok("-Infinity") => Ok(f64::NEG_INFINITY),
        _ => decimal(value)?.parse().ok().filter(|value: &f64| value.is_finite()).ok_or(Unfit),
    }
}

/// Read as such: through a double, a number would be rounded twice.
fn float(value: &Scalar<'_>) -> Result<f32, Unfit> {
    match text(value) {
        Ok("NaN") => Ok(f32::NAN),
        Ok("Infinity") => Ok(f32::INFINITY),
        Ok("-Infinity") => Ok(f32::NEG_INFINITY),
        _ => decimal(value)?.parse().ok().filter(|value: &f32| value.is_finite()).ok_or(Unfit),
    }
}

/// A number in the grammar of JSON, with quotes or without.
fn decimal<'v>(value: &'v Scalar<'_>) -> Result<&'v str, Unfit> {
    match value {
        Scalar::Number(number) => Ok(number),
        Scalar::Text(text) => {
            let mut lexer = Lexer::new(text.as_bytes());
            let is_number = lexer.number().is_ok_and(|number| number.len() == text.len());
            if is_number { Ok(text) } else { Err(Unfit) }
        }
        Scalar::Bool(_) | Scalar::Null => Err(Unfit),
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Unfit> {
    let engine = if text.contains(['-', '_']) { BASE64_URL } else { BASE64 };
    engine.decode(text).map_err(|_| Unfit)
}

/// What would fit a field of `kind`, for a person.
pub(crate) fn expected(schema: &Schema, kind: Kind) -> String {
    let what = match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => return within(i32::MIN, i32::MAX),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => return within(i64::MIN, i64::MAX),
        Kind::Uint32 | Kind::Fixed32 => return within(u32::MIN, u32::MAX),
        Kind::Uint64 | Kind::Fixed64 => return within(u64::MIN, u64::MAX),
        Kind::Double | Kind::Float => "a number",
        Kind::Bool => "true or false",
        Kind::String => "a text",
        Kind::Bytes => "a text in base64",
        Kind::Enum(id) => {
            // `…_UNSPECIFIED` stands for no value, and naming it would help nobody.
            let values = schema.enumeration(id).values.iter().map(|(name, _)| name.as_ref());
            let told: Vec<&str> = values.filter(|name| !name.ends_with("_UNSPECIFIED")).collect();
            return format!("must be one of {}", told.join(", "));
        }
        Kind::Message(id) => return expected_message(schema, id),
    };
    format!("must be {what}")
}

fn expected_message(schema: &Schema, id: MessageId) -> String {
    let message = schema.message(id);
    let what = match message.form {
        Form::Timestamp => "a time such as 2026-01-31T12:00:00Z",
        Form::Duration => "a duration in seconds such as 1.5s",
        Form::FieldMask => "names of fields separated by commas, such as name,profile.bio",
        Form::Plain | Form::Struct | Form::Any => "an object",
        Form::List => "a list",
        Form::Value => "a JSON value",
        Form::Wrapper => return message.fields.first().map_or_else(String::new, |inner| expected(schema, inner.kind)),
    };
    format!("must be {what}")
}

fn within(low: impl std::fmt::Display, high: impl std::fmt::Display) -> String {
    format!("must be a whole number from {low} to {high}")
}
