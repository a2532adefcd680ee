//! `google.protobuf.Any`: the key `@type` names the message whose fields stand beside it.

use super::{Parsed, Parser};
use crate::{
    error::Reason,
    lexer::{Fault, Start},
    schema::{Form, MessageId},
    wire,
};

const TYPE: &str = "@type";

/// Where the message has a JSON form of its own, its key.
const VALUE: &str = "value";

/// An Any in an Any is looked through for its type at each level; so many levels are served.
const MAX_NESTED: u32 = 8;

impl<'a> Parser<'a, '_> {
    /// The object of an Any. `@type` may be any of its keys, so it is looked for first.
    pub(super) fn any(&mut self) -> Parsed {
        if self.anys >= MAX_NESTED {
            return self.lexer.fail(Fault::TooDeep);
        }
        let start = self.lexer.at();
        let Some(url) = self.type_url()? else { return Ok(()) };
        let name = url.rsplit_once('/').map_or("", |(_, name)| name);
        let Some(id) = self.schema.by_name(name) else {
            self.fault(format!("has a @type that is no known message: {url:?}"), Reason::InvalidValue);
            return Ok(());
        };
        self.lexer.rewind(start);
        wire::put_bytes(self.out, 1, url.as_bytes());
        // What belongs to the update mask are fields of the resource, not of what it wraps.
        self.anys += 1;
        self.nested(2, |parser| parser.wrapped(id))?;
        self.anys -= 1;
        Ok(())
    }

    /// The value of `@type`. The object has been passed over then. None when it has no key, or none that will do: that is
    /// noted.
    fn type_url(&mut self) -> Parsed<Option<String>> {
        let (mut is_first, mut is_empty, mut url) = (true, true, None);
        self.lexer.open();
        while let Some(key) = self.lexer.key(&mut is_first)? {
            is_empty = false;
            if key != TYPE {
                self.lexer.skip()?;
            } else if url.is_some() {
                self.fault("has two keys @type", Reason::BoundTwice);
                self.lexer.skip()?;
            } else if self.lexer.start()? == Start::Text {
                url = Some(self.lexer.text()?.into_owned());
            } else {
                self.refuse("has a @type that is no text")?;
            }
        }
        if url.is_none() && !is_empty {
            self.fault("has no @type", Reason::InvalidValue);
        }
        Ok(url)
    }

    fn wrapped(&mut self, id: MessageId) -> Parsed {
        let message = self.schema.message(id);
        if message.form == Form::Plain && message.name.as_ref() != "google.protobuf.Empty" {
            return self.object(id, Some(TYPE));
        }
        let (mut is_first, mut is_there) = (true, false);
        self.lexer.open();
        while let Some(key) = self.lexer.key(&mut is_first)? {
            match key.as_ref() {
                TYPE => self.lexer.skip()?,
                VALUE if !std::mem::replace(&mut is_there, true) => self.value_of(id, None)?,
                VALUE => {
                    self.fault("has two keys value", Reason::BoundTwice);
                    self.lexer.skip()?;
                }
                _ => self.unknown(key)?,
            }
        }
        if !is_there && message.form != Form::Plain {
            self.fault("has no value", Reason::InvalidValue);
        }
        Ok(())
    }
}
