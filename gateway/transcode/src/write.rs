//! From the wire to JSON: one pass that finds the fields of a message, one that writes them in the order of the contract.

mod index;
mod known;
mod map;
mod scalar;

use crate::{
    schema::{Field, Form, Kind, MessageId, Schema, Shape},
    wire::{Content, Cursor, MAX_DEPTH, WireError},
};
use std::ops::Range;

/// How a message is written as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Scalars, enums, lists and maps are there even when empty; so a reader can tell an empty list from a field that it does
    /// not know. Messages and `optional` fields are there only when set.
    pub shows_defaults: bool,
    /// Names as in the contract, `page_size`, and not `pageSize`.
    pub keeps_names: bool,
    /// Enums by number, not by name.
    pub numbers_enums: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { shows_defaults: true, keeps_names: false, numbers_enums: false }
    }
}

/// Writes messages behind what is in `out`.
pub(crate) struct Writer<'s> {
    schema: &'s Schema,
    options: Options,
    pub out: Vec<u8>,
    /// The fields of the messages that are open.
    entries: Vec<Entry>,
    depth: u32,
}

/// One field as it came.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Its place among the fields of its message.
    index: u32,
    content: Content,
}

impl Entry {
    /// Its bytes in those of its message; none of a number.
    fn bytes<'b>(&self, message: &'b [u8]) -> &'b [u8] {
        match self.content {
            Content::Bytes { start, end } => message.get(start..end).unwrap_or_default(),
            Content::Number(_) => &[],
        }
    }
}

type Written<T = ()> = Result<T, WireError>;

/// The JSON of a message of type `id`.
pub(crate) fn to_json(schema: &Schema, options: Options, id: MessageId, bytes: &[u8]) -> Written<Vec<u8>> {
    let mut writer = Writer::new(schema, options, bytes.len());
    writer.message(id, bytes)?;
    Ok(writer.out)
}

impl<'s> Writer<'s> {
    /// A writer for a message of so many bytes: JSON is about twice as long.
    pub(crate) fn new(schema: &'s Schema, options: Options, bytes: usize) -> Self {
        let out = Vec::with_capacity(bytes.saturating_mul(2).saturating_add(256));
        Writer { schema, options, out, entries: Vec::new(), depth: 0 }
    }

    /// The JSON of a message of type `id`.
    pub(crate) fn message(&mut self, id: MessageId, bytes: &[u8]) -> Written {
        if self.depth > MAX_DEPTH {
            return Err(WireError::TooDeep);
        }
        self.depth += 1;
        match self.schema.message(id).form {
            Form::Plain => {
                self.out.push(b'{');
                self.members(id, bytes, true)?;
                self.out.push(b'}');
            }
            _ => self.known(id, bytes)?,
        }
        self.depth -= 1;
        Ok(())
    }

    /// The JSON of one field of a message; null when that is not set.
    pub(crate) fn field_of(&mut self, id: MessageId, index: u32, bytes: &[u8]) -> Written {
        let base = self.entries.len();
        self.index(id, bytes)?;
        let is_own = |entry: &Entry| entry.index == index;
        let own = self.entries.get(base..).unwrap_or_default();
        let from = base + own.iter().position(is_own).unwrap_or(own.len());
        let to = from + self.entries.get(from..).unwrap_or_default().iter().take_while(|entry| is_own(entry)).count();
        let field = self.schema.field(crate::schema::FieldId { message: id, index });
        if from == to && field.has_presence {
            self.out.extend_from_slice(b"null");
        } else {
            self.value(field, from..to, bytes)?;
        }
        self.entries.truncate(base);
        Ok(())
    }

    /// The members of an object. `is_first` is false when others stand in front.
    fn members(&mut self, id: MessageId, bytes: &[u8], mut is_first: bool) -> Written {
        let base = self.entries.len();
        self.index(id, bytes)?;
        let mut at = base;
        for (index, field) in (0..).zip(&self.schema.message(id).fields) {
            let from = at;
            while self.entries.get(at).is_some_and(|entry| entry.index == index) {
                at += 1;
            }
            if !self.is_shown(field, from..at) {
                continue;
            }
            if !std::mem::replace(&mut is_first, false) {
                self.out.push(b',');
            }
            self.key(if self.options.keeps_names { &field.name } else { &field.json_name });
            self.value(field, from..at, bytes)?;
        }
        self.entries.truncate(base);
        Ok(())
    }

    fn is_shown(&self, field: &Field, entries: Range<usize>) -> bool {
        if field.has_presence {
            return !entries.is_empty();
        }
        let is_zero = || match self.entries.get(entries.end.wrapping_sub(1)).map(|entry| entry.content) {
            Some(Content::Number(value)) => value == 0,
            Some(Content::Bytes { start, end }) => start == end,
            None => true,
        };
        self.options.shows_defaults || (!entries.is_empty() && (field.shape != Shape::One || !is_zero()))
    }

    fn key(&mut self, name: &str) {
        self.text(name);
        self.out.push(b':');
    }

    /// The value of a field, of which `entries` came.
    fn value(&mut self, field: &Field, entries: Range<usize>, bytes: &[u8]) -> Written {
        match field.shape {
            Shape::List { .. } => self.list(field, entries, bytes),
            Shape::Map => self.map(field, entries, bytes),
            Shape::One => match (field.kind, entries.len()) {
                (Kind::Message(id), 2..) => {
                    // Readers put a message together that comes in parts.
                    let parts = self.entries.get(entries).unwrap_or_default();
                    let whole: Vec<u8> = parts.iter().flat_map(|part| part.bytes(bytes)).copied().collect();
                    self.message(id, &whole)
                }
                // The last one counts.
                _ => match self.entries.get(entries.end.wrapping_sub(1)).filter(|_| !entries.is_empty()) {
                    Some(entry) => self.one(field, entry.content, bytes),
                    None => self.default(field),
                },
            },
        }
    }

    fn default(&mut self, field: &Field) -> Written {
        match field.kind {
            Kind::String | Kind::Bytes => self.out.extend_from_slice(b"\"\""),
            Kind::Message(_) => self.out.extend_from_slice(b"null"),
            _ => return self.one(field, Content::Number(0), &[]),
        }
        Ok(())
    }

    fn list(&mut self, field: &Field, entries: Range<usize>, bytes: &[u8]) -> Written {
        self.out.push(b'[');
        let mut is_first = true;
        for at in entries {
            let Some(entry) = self.entries.get(at).copied() else { break };
            match entry.content {
                Content::Bytes { .. } if field.kind.is_packable() => {
                    let mut packed = Cursor::new(entry.bytes(bytes));
                    while !packed.is_at_end() {
                        let number = packed.number(crate::leaf::wire_type(field.kind))?;
                        self.separate(&mut is_first);
                        self.one(field, Content::Number(number), bytes)?;
                    }
                }
                content => {
                    self.separate(&mut is_first);
                    self.one(field, content, bytes)?;
                }
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn separate(&mut self, is_first: &mut bool) {
        if !std::mem::replace(is_first, false) {
            self.out.push(b',');
        }
    }
}
