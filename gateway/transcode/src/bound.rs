//! Fields that path, query, headers and forms bind: leaves with a text each.

use crate::{
    error::Reason,
    leaf,
    report::Source,
    schema::{FieldId, Kind, Schema, Shape},
    wire::{self, WireType},
};

/// Leaves that one request may bind beside a JSON body. Each is compared with all others.
const MAX_BOUND: usize = 1_000;

/// A leaf of the request: the fields down to it, and the key when it is an entry of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub path: Vec<FieldId>,
    pub key: Option<String>,
}

/// A text for a leaf, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub text: &'a str,
    pub source: Source,
}

/// A leaf that has a value.
#[derive(Debug)]
pub(crate) struct Bound {
    pub target: Target,
    pub source: Source,
    /// The leaf on the wire, with its tag. None when its text did not fit: that was told.
    pub value: Option<Vec<u8>>,
}

impl Target {
    pub(crate) fn leaf(path: &[FieldId]) -> Self {
        Target { path: path.to_vec(), key: None }
    }

    /// The leaf that a parameter names: `profile.bio`, or `labels[color]` for an entry of a map.
    pub(crate) fn named(schema: &Schema, message: crate::schema::MessageId, name: &str) -> Option<Self> {
        if let Some(path) = schema.resolve(message, name) {
            return Some(Target { path, key: None });
        }
        let (map, key) = name.strip_suffix(']')?.split_once('[')?;
        let path = schema.resolve_map(message, map)?;
        Some(Target { path, key: Some(key.to_owned()) })
    }

    /// Its path as the contract spells it.
    pub(crate) fn spelled(&self, schema: &Schema) -> String {
        let path = schema.spell(&self.path);
        self.key.as_ref().map_or_else(|| path.clone(), |key| format!("{path}[{key:?}]"))
    }
}

/// Binds a leaf, unless another source gave it a value: that must be the same. Answers what is wrong with it.
pub(crate) fn put(
    schema: &Schema,
    bound: &mut Vec<Bound>,
    target: &Target,
    given: Given<'_>,
) -> Result<(), (String, Reason)> {
    if bound.len() >= MAX_BOUND {
        return Err((format!("is one too many: a request has at most {MAX_BOUND} parameters"), Reason::InvalidValue));
    }
    let source = given.source;
    let Some(field) = target.path.last().map(|id| schema.field(*id)) else { return Ok(()) };
    let mut value = Vec::new();
    let fits = encode(schema, target, given.text, &mut value);
    let mut refused = fits.err().map(|what| (what, Reason::InvalidValue));
    let value = refused.is_none().then_some(value);
    if let Some(first) = bound.iter().find(|other| other.target == *target) {
        let is_same = first.source != source && first.value.as_ref().is_none_or(|first| value.as_ref() == Some(first));
        if is_same {
            return Ok(());
        }
        // A repeated query parameter is a list; a repeated key or path variable is a mistake.
        let is_list = matches!(field.shape, Shape::List { .. });
        if !(is_list && first.source == source && source == Source::Query) {
            return Err((first.source.conflict(source), Reason::BoundTwice));
        }
    } else if let Some(other) = excluded(schema, bound, &target.path) {
        refused = refused.or_else(|| Some((format!("excludes {other}, which has a value too"), Reason::InvalidValue)));
    }
    bound.push(Bound { target: target.clone(), source, value });
    refused.map_or(Ok(()), Err)
}

/// Writes a leaf with its tag; the error says what would fit.
fn encode(schema: &Schema, target: &Target, text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let Some(field) = target.path.last().map(|id| schema.field(*id)) else { return Ok(()) };
    let (Some(key), Kind::Message(entry)) = (&target.key, field.kind) else {
        return leaf::put_text(schema, field, text, out).map_err(|_| leaf::expected(schema, field.kind));
    };
    let (key_field, value_field) = schema.message(entry).entry();
    wire::put_tag(out, field.number, WireType::Bytes);
    let start = wire::begin(out);
    leaf::put_key(schema, key_field, key.into(), out)
        .map_err(|_| format!("has a key that {}", leaf::expected(schema, key_field.kind)))?;
    leaf::put_text(schema, value_field, text, out).map_err(|_| leaf::expected(schema, value_field.kind))?;
    wire::end(out, start);
    Ok(())
}

/// The name of a field that has a value already and is in one oneof with a field of `path`.
fn excluded<'s>(schema: &'s Schema, bound: &[Bound], path: &[FieldId]) -> Option<&'s str> {
    bound.iter().find_map(|other| {
        let (own, other) = path.iter().zip(&other.target.path).find(|(own, other)| own != other)?;
        let (own, other) = (schema.field(*own), schema.field(*other));
        (own.oneof.is_some() && own.oneof == other.oneof).then_some(other.json_name.as_ref())
    })
}

impl Bound {
    /// Writes the leaf within the messages along its path. Readers put a message together that comes in parts.
    pub(crate) fn write(&self, schema: &Schema, out: &mut Vec<u8>) {
        let (Some((_, above)), Some(value)) = (self.target.path.split_last(), &self.value) else { return };
        let mut starts = Vec::with_capacity(above.len());
        for id in above {
            wire::put_tag(out, schema.field(*id).number, WireType::Bytes);
            starts.push(wire::begin(out));
        }
        out.extend_from_slice(value);
        while let Some(start) = starts.pop() {
            wire::end(out, start);
        }
    }
}
