//! Whole numbers in the forms of ProtoJSON: `2`, `2.0` and `1e2`, with quotes or without.

use prost_reflect::Kind;
use rust_decimal::Decimal;
use serde_json::Value;

/// `json` with each whole number for a field of `kind` as plain digits. What is not one stays as it is: the parser of the
/// field refuses it. A decimal keeps all digits of a 64-bit integer, which a floating-point number does not.
pub(crate) fn exact(kind: &Kind, json: Value) -> Value {
    if !is_whole(kind) {
        return json;
    }
    match json {
        Value::Array(items) => items.into_iter().map(|item| exact(kind, item)).collect(),
        Value::Number(number) if number.is_f64() => {
            digits(&number.to_string()).map_or(Value::Number(number), Value::from)
        }
        Value::String(text) => digits(&text).map_or(Value::String(text), Value::from),
        other => other,
    }
}

fn digits(text: &str) -> Option<String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    let starts = text.strip_prefix('-').unwrap_or(text).starts_with(|first: char| first.is_ascii_digit());
    if !is_number || !starts {
        return None;
    }
    // A floating-point number has 53 bits: it would silently change a 64-bit integer.
    let number = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok()?;
    number.is_integer().then(|| number.trunc().normalize().to_string())
}

fn is_whole(kind: &Kind) -> bool {
    match kind {
        Kind::Message(message) => matches!(
            message.full_name(),
            "google.protobuf.Int32Value"
                | "google.protobuf.Int64Value"
                | "google.protobuf.UInt32Value"
                | "google.protobuf.UInt64Value"
        ),
        Kind::Double | Kind::Float | Kind::Bool | Kind::String | Kind::Bytes | Kind::Enum(_) => false,
        // The ten kinds that are left are whole numbers.
        _ => true,
    }
}
