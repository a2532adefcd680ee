//! Objects: keys to fields, each at most once, whatever other sources have bound.

use super::{Parsed, Parser, Step};
use crate::{
    bound::Bound,
    error::Reason,
    lexer::Start,
    report::{Source, join},
    schema::{Field, FieldId, MessageId, Shape},
};
use std::borrow::Cow;

impl<'a, 's> Parser<'a, 's> {
    pub(super) fn object(&mut self, id: MessageId, skipped: Option<&str>) -> Parsed {
        let message = self.schema.message(id);
        let (base, mut is_first, mut hint) = (self.seen.len(), true, 0);
        self.seen.resize(base + 2 * message.fields.len().div_ceil(64), 0);
        self.lexer.open();
        while let Some(key) = self.lexer.key(&mut is_first)? {
            let Some(index) = message.lookup(&key, hint) else {
                if skipped == Some(key.as_ref()) {
                    self.lexer.skip()?
                } else {
                    self.unknown(key)?
                }
                continue;
            };
            hint = index + 1;
            self.path.push(Step::Field(FieldId { message: id, index }));
            if self.mark(base, index) {
                self.member(FieldId { message: id, index }, base)?;
            } else {
                self.fault("is bound twice in the body", Reason::BoundTwice);
                self.lexer.skip()?;
            }
            self.path.pop();
        }
        self.seen.truncate(base);
        Ok(())
    }

    /// Sets the bit of a field, counted from the word `base`; whether it was not set.
    fn mark(&mut self, base: usize, index: u32) -> bool {
        let bit = 1 << (index % 64);
        let Some(word) = self.seen.get_mut(base + index as usize / 64) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn is_marked(&self, base: usize, index: u32) -> bool {
        self.seen.get(base + index as usize / 64).is_some_and(|word| word & 1 << (index % 64) != 0)
    }

    /// A key that names no field.
    pub(super) fn unknown(&mut self, key: Cow<'a, str>) -> Parsed {
        if !self.report.is_full() {
            let path = join(&self.spelled(), &key);
            self.report.fault(&path, "is not a field of this message", Reason::UnknownField);
        }
        self.lexer.skip()
    }

    /// A field of an object, when its key has come for the first time. `base` is where the bits of the message begin.
    fn member(&mut self, id: FieldId, base: usize) -> Parsed {
        let field = self.schema.field(id);
        if field.oneof.is_some() && self.is_excluded(id, base)? {
            return self.lexer.skip();
        }
        let is_leaf = self.mention(field)?;
        if let Some(bound) = self.other_source() {
            self.again(field, bound)?;
        } else {
            self.value(field)?;
        }
        self.is_within_leaf &= !is_leaf;
        Ok(())
    }

    /// Whether another member of the oneof of a field has a value. A null is none.
    fn is_excluded(&mut self, id: FieldId, base: usize) -> Parsed<bool> {
        let (message, own) = (self.schema.message(id.message), self.schema.field(id));
        if self.lexer.start()? == Start::Null && !self.takes_null(own) {
            return Ok(false);
        }
        let values = base + message.fields.len().div_ceil(64);
        let other = (0..).zip(&message.fields).find(|(index, field)| {
            let is_other = field.oneof == own.oneof && *index != id.index;
            is_other && (self.is_marked(values, *index) || self.is_bound_beside(*index))
        });
        match other {
            Some((_, other)) => {
                self.fault(format!("excludes {}, which has a value too", other.json_name), Reason::InvalidValue);
                Ok(true)
            }
            None => {
                self.mark(values, id.index);
                Ok(false)
            }
        }
    }

    /// Whether another source has bound the field `index` of the message that is read, or one within it.
    fn is_bound_beside(&self, index: u32) -> bool {
        let Some((_, above)) = self.path.split_last() else { return false };
        self.bound.iter().any(|bound| match bound.target.path.split_at_checked(above.len()) {
            Some((head, [next, ..])) => next.index == index && is_path(above, head),
            Some((_, [])) | None => false,
        })
    }

    /// What another source has bound to the field that is read.
    fn other_source(&self) -> Option<&'s Bound> {
        self.bound.iter().find(|bound| is_path(&self.path, &bound.target.path))
    }

    /// A field that another source has bound already: its value must be the same, or null.
    fn again(&mut self, field: &'s Field, bound: &Bound) -> Parsed {
        let (start, faults) = (self.out.len(), self.report.count());
        self.value(field)?;
        let written = self.out.get(start..).unwrap_or_default();
        let differs = !written.is_empty() && bound.value.as_deref().is_some_and(|value| value != written);
        let is_unfit = self.report.count() > faults && bound.value.is_some();
        if differs || is_unfit {
            self.report.forget(faults);
            let text = bound.source.conflict(Source::Body);
            self.fault(text, Reason::BoundTwice);
        }
        self.out.truncate(start);
        Ok(())
    }

    /// Notes the path of a leaf: whether it is one. What is within a leaf is not noted.
    fn mention(&mut self, field: &Field) -> Parsed<bool> {
        if !self.wants_mentioned || self.is_within_leaf {
            return Ok(false);
        }
        let inner = self.schema.plain(field).map(|id| self.schema.message(id).name.as_ref());
        let is_nested = field.shape == Shape::One && inner.is_some_and(|name| !name.starts_with("google.type."));
        if is_nested && self.lexer.start()? == Start::Object {
            return Ok(false);
        }
        if self.other_source().is_none() {
            let path = self.spelled();
            self.mentioned.push(path);
        }
        self.is_within_leaf = true;
        Ok(true)
    }
}

/// Whether `steps` are just the fields of `path`.
fn is_path(steps: &[Step<'_>], path: &[FieldId]) -> bool {
    let is_same = |(step, id): (&Step<'_>, &FieldId)| matches!(step, Step::Field(field) if field == id);
    steps.len() == path.len() && steps.iter().zip(path).all(is_same)
}
