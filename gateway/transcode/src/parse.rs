//! JSON bodies to the wire: one pass over the bytes, no tree in between. A fault is noted with its path and the rest is read
//! on, so that all faults are told at once; only where the bytes are no JSON does reading end.

mod any;
mod object;
mod schemaless;
mod value;

use crate::{
    bound::Bound,
    error::Reason,
    leaf,
    lexer::{Fault, Lexer, Start, Syntax},
    report::Report,
    schema::{FieldId, Form, Kind, MessageId, Schema},
    wire::{self, MAX_DEPTH, WireType},
};
use std::{borrow::Cow, fmt::Write as _};

/// Reads one body into `out`, behind what is there.
pub(crate) struct Parser<'a, 's> {
    pub schema: &'s Schema,
    pub lexer: Lexer<'a>,
    pub out: &'s mut Vec<u8>,
    pub report: &'s mut Report,
    /// What path, query and headers have bound.
    pub bound: &'s [Bound],
    /// The paths of the leaves that the body mentions, when they are wanted.
    pub mentioned: Vec<String>,
    pub wants_mentioned: bool,
    is_within_leaf: bool,
    path: Vec<Step<'a>>,
    /// How many messages are open.
    depth: u32,
    /// How many messages of type Any are open.
    anys: u32,
    /// For each message that is open, a bit for each field whose key has come, then one for each that has a value.
    seen: Vec<u64>,
    /// How many faults were noted before the body was read.
    faults_before: usize,
}

#[derive(Debug)]
enum Step<'a> {
    Field(FieldId),
    Item(usize),
    Key(Cow<'a, str>),
}

/// Where reading ends early, the bytes are no JSON.
type Parsed<T = ()> = Result<T, Syntax>;

impl<'a, 's> Parser<'a, 's> {
    pub(crate) fn new(
        schema: &'s Schema,
        json: &'a [u8],
        out: &'s mut Vec<u8>,
        report: &'s mut Report,
        bound: &'s [Bound],
    ) -> Self {
        Parser {
            schema,
            lexer: Lexer::new(json),
            out,
            bound,
            mentioned: Vec::new(),
            wants_mentioned: false,
            is_within_leaf: false,
            path: Vec::new(),
            depth: 0,
            anys: 0,
            seen: Vec::new(),
            faults_before: report.count(),
            report,
        }
    }

    /// The body is a message of type `id`, without tag and length.
    pub(crate) fn whole(&mut self, id: MessageId) {
        let read = self.value_of(id, None).and_then(|()| self.lexer.finish());
        self.ended(read);
    }

    /// The body is the value of one field.
    pub(crate) fn field(&mut self, id: FieldId) {
        self.path.push(Step::Field(id));
        let read = self.value(self.schema.field(id)).and_then(|()| self.lexer.finish());
        if read.is_ok() {
            self.path.pop();
        }
        self.ended(read);
    }

    fn ended(&mut self, read: Parsed) {
        if let Err(syntax) = read {
            let place = self.lexer.place(syntax.at);
            let what = match syntax.fault {
                Fault::Malformed => format!("is malformed JSON at {place}"),
                Fault::BreaksOff => format!("is malformed JSON: it breaks off at {place}"),
                Fault::NotUtf8 => format!("is malformed JSON: it is not UTF-8 at {place}"),
                Fault::LoneSurrogate => format!("is malformed JSON: half of a surrogate pair at {place}"),
                Fault::TooDeep => format!("is malformed JSON: it nests deeper than {MAX_DEPTH} messages at {place}"),
            };
            // What is no JSON has no fields: faults of some would only hide what is wrong.
            self.report.forget(self.faults_before);
            self.fault(what, Reason::MalformedJson);
        }
    }

    fn fault(&mut self, description: impl Into<String>, reason: Reason) {
        if !self.report.is_full() {
            let path = self.spelled();
            self.report.fault(&path, description, reason);
        }
    }

    /// The path of what is read, as the contract spells it: `order.items[0].quantity`.
    fn spelled(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            let written = match step {
                Step::Field(id) => {
                    let dot = if out.is_empty() { "" } else { "." };
                    write!(out, "{dot}{}", self.schema.field(*id).name)
                }
                Step::Item(index) => write!(out, "[{index}]"),
                Step::Key(key) => write!(out, "[{key:?}]"),
            };
            written.expect("a String takes all");
        }
        out
    }

    /// Notes that the next value does not fit, and passes it over.
    fn refuse(&mut self, description: impl Into<String>) -> Parsed {
        self.fault(description, Reason::InvalidValue);
        self.lexer.skip()
    }

    /// What a message of type `id` holds. `skipped` is a key of its object that is no field.
    fn value_of(&mut self, id: MessageId, skipped: Option<&str>) -> Parsed {
        let start = self.lexer.start()?;
        match self.schema.message(id).form {
            Form::Plain if start == Start::Object => self.object(id, skipped),
            Form::Any if start == Start::Object => self.any(),
            Form::Struct if start == Start::Object => self.structure(),
            Form::List if start == Start::List => self.values(),
            Form::Value => self.json_value(),
            Form::Plain => self.refuse("must be an object"),
            _ => match self.scalar()? {
                Some(scalar) if leaf::put_known(self.schema, id, &scalar, self.out).is_ok() => Ok(()),
                _ => {
                    self.fault(leaf::expected(self.schema, Kind::Message(id)), Reason::InvalidValue);
                    Ok(())
                }
            },
        }
    }

    /// Goes one message deeper.
    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth >= MAX_DEPTH {
            return self.lexer.fail(Fault::TooDeep);
        }
        self.depth += 1;
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    /// Writes a message that is field `number`: its tag, its length, and what `read` writes.
    fn nested(&mut self, number: u32, read: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        wire::put_tag(self.out, number, WireType::Bytes);
        let start = wire::begin(self.out);
        self.deeper(read)?;
        wire::end(self.out, start);
        Ok(())
    }
}
