//! `google.protobuf.Struct`, `Value` and `ListValue`: JSON that no contract describes.

use super::{Parsed, Parser, Step};
use crate::{error::Reason, leaf, lexer::Start, wire, wire::WireType};
use std::collections::HashSet;

/// Field numbers of `Value`.
const NULL: u32 = 1;
const NUMBER: u32 = 2;
const TEXT: u32 = 3;
const BOOL: u32 = 4;
const OBJECT: u32 = 5;
const LIST: u32 = 6;

impl Parser<'_, '_> {
    /// A `Value`: any JSON.
    pub(super) fn json_value(&mut self) -> Parsed {
        match self.lexer.start()? {
            Start::Object => self.nested(OBJECT, Self::structure)?,
            Start::List => self.nested(LIST, Self::values)?,
            Start::Text => wire::put_bytes(self.out, TEXT, self.lexer.text()?.as_bytes()),
            Start::Number => {
                let number = self.lexer.number()?;
                match number.parse::<f64>() {
                    Ok(value) if value.is_finite() => {
                        wire::put_tag(self.out, NUMBER, WireType::Fixed64);
                        self.out.extend_from_slice(&value.to_le_bytes());
                    }
                    _ => self.fault("must be a number that a double can hold", Reason::InvalidValue),
                }
            }
            Start::True => {
                self.lexer.word("true")?;
                self.constant(BOOL, 1);
            }
            Start::False => {
                self.lexer.word("false")?;
                self.constant(BOOL, 0);
            }
            Start::Null => {
                self.lexer.word("null")?;
                self.constant(NULL, 0);
            }
        }
        Ok(())
    }

    fn constant(&mut self, number: u32, value: u64) {
        wire::put_tag(self.out, number, WireType::Varint);
        wire::put_varint(self.out, value);
    }

    /// A `Struct`: its one field is a map of texts to values.
    pub(super) fn structure(&mut self) -> Parsed {
        let (mut is_first, mut keys) = (true, HashSet::new());
        self.lexer.open();
        while let Some(key) = self.lexer.key(&mut is_first)? {
            self.path.push(Step::Key(key.clone()));
            wire::put_tag(self.out, 1, WireType::Bytes);
            let start = wire::begin(self.out);
            wire::put_tag(self.out, 1, WireType::Bytes);
            leaf::put_sized(self.out, key.as_bytes());
            if !keys.insert(key) {
                self.fault("is bound twice in the body", Reason::BoundTwice);
            }
            self.deeper(|parser| parser.nested(2, Self::json_value))?;
            wire::end(self.out, start);
            self.path.pop();
        }
        Ok(())
    }

    /// A `ListValue`: its one field is a list of values.
    pub(super) fn values(&mut self) -> Parsed {
        let (mut is_first, mut index) = (true, 0);
        self.lexer.open();
        while self.lexer.item(&mut is_first)? {
            self.path.push(Step::Item(index));
            self.nested(1, Self::json_value)?;
            self.path.pop();
            index += 1;
        }
        Ok(())
    }
}
