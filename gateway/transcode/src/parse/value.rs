//! Values: of singular fields, of lists and of maps.

use super::{Parsed, Parser, Step};
use crate::{
    error::Reason,
    leaf::{self, Scalar},
    lexer::Start,
    schema::{Field, Form, Kind, Shape},
    wire::{self, WireType},
};
use std::collections::HashSet;

impl<'a, 's> Parser<'a, 's> {
    /// The value of a field, with its tags.
    pub(super) fn value(&mut self, field: &'s Field) -> Parsed {
        if self.lexer.start()? == Start::Null && !self.takes_null(field) {
            return self.lexer.word("null");
        }
        match field.shape {
            Shape::One => self.one(field),
            Shape::List { packed } => self.list(field, packed),
            Shape::Map => self.map(field),
        }
    }

    pub(super) fn takes_null(&self, field: &Field) -> bool {
        let is_one = field.shape == Shape::One;
        is_one
            && match field.kind {
                Kind::Message(id) => self.schema.message(id).form == Form::Value,
                Kind::Enum(id) => self.schema.enumeration(id).is_null,
                _ => false,
            }
    }

    /// A singular field or one element, with its tag.
    fn one(&mut self, field: &'s Field) -> Parsed {
        match field.kind {
            Kind::Message(id) if field.is_group => {
                wire::put_tag(self.out, field.number, WireType::GroupStart);
                self.deeper(|parser| parser.value_of(id, None))?;
                wire::put_tag(self.out, field.number, WireType::GroupEnd);
                Ok(())
            }
            Kind::Message(id) => self.nested(field.number, |parser| parser.value_of(id, None)),
            kind => {
                wire::put_tag(self.out, field.number, leaf::wire_type(kind));
                self.put(field)
            }
        }
    }

    /// A scalar without its tag.
    fn put(&mut self, field: &'s Field) -> Parsed {
        let fits = match self.scalar()? {
            Some(scalar) => leaf::put(self.schema, field.kind, &scalar, self.out).is_ok(),
            None => false,
        };
        if !fits {
            self.fault(leaf::expected(self.schema, field.kind), Reason::InvalidValue);
        }
        Ok(())
    }

    /// The next value, when it is neither an object nor a list; those are passed over.
    pub(super) fn scalar(&mut self) -> Parsed<Option<Scalar<'a>>> {
        match self.lexer.start()? {
            Start::Object | Start::List => self.lexer.skip().map(|()| None),
            Start::Text => self.lexer.text().map(|text| Some(Scalar::Text(text))),
            Start::Number => self.lexer.number().map(|number| Some(Scalar::Number(number))),
            Start::True => self.lexer.word("true").map(|()| Some(Scalar::Bool(true))),
            Start::False => self.lexer.word("false").map(|()| Some(Scalar::Bool(false))),
            Start::Null => self.lexer.word("null").map(|()| Some(Scalar::Null)),
        }
    }

    fn list(&mut self, field: &'s Field, packed: bool) -> Parsed {
        if self.lexer.start()? != Start::List {
            return self.refuse("must be a list");
        }
        let start = packed.then(|| {
            wire::put_tag(self.out, field.number, WireType::Bytes);
            wire::begin(self.out)
        });
        let (mut is_first, mut index) = (true, 0);
        self.lexer.open();
        while self.lexer.item(&mut is_first)? {
            self.path.push(Step::Item(index));
            if packed {
                self.put(field)?
            } else {
                self.one(field)?
            }
            self.path.pop();
            index += 1;
        }
        if let Some(start) = start {
            wire::end(self.out, start);
        }
        Ok(())
    }

    fn map(&mut self, field: &'s Field) -> Parsed {
        let Kind::Message(entry) = field.kind else { return self.lexer.skip() };
        if self.lexer.start()? != Start::Object {
            return self.refuse("must be an object");
        }
        let (key_field, value_field) = self.schema.message(entry).entry();
        let (mut is_first, mut keys) = (true, HashSet::new());
        self.lexer.open();
        while let Some(key) = self.lexer.key(&mut is_first)? {
            self.path.push(Step::Key(key.clone()));
            self.nested(field.number, |parser| {
                match leaf::put_key(parser.schema, key_field, key, parser.out).map(|key| keys.insert(key)) {
                    Ok(true) => {}
                    Ok(false) => parser.fault("is bound twice in the body", Reason::BoundTwice),
                    Err(_) => {
                        let what = leaf::expected(parser.schema, key_field.kind);
                        parser.fault(format!("has a key that {what}"), Reason::InvalidValue);
                    }
                }
                parser.one(value_field)
            })?;
            self.path.pop();
        }
        Ok(())
    }
}
