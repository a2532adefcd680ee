//! From the encoded reply to JSON.

use crate::{
    error::Error,
    route::Route,
    schema::{ETAG, Kind, MessageId},
    wire::{Content, Cursor, WireError},
    write::{Options, Writer, to_json},
};

/// A reply as it is sent.
#[derive(Debug)]
pub struct Reply {
    pub json: Vec<u8>,
    /// The version of the one resource that it shows, when that has one.
    pub etag: Option<String>,
}

impl Route {
    /// Writes an encoded reply as JSON, as the options of the router say: 64-bit integers are strings, messages and `optional`
    /// fields are there only when set; at an endpoint of OAuth, all fields.
    pub fn response(&self, reply: &[u8]) -> Result<Vec<u8>, Error> {
        self.write(reply).map_err(|error| self.unfit(error))
    }

    /// Writes an encoded reply as JSON, and tells the version of the resource in it.
    pub fn reply(&self, reply: &[u8]) -> Result<Reply, Error> {
        let json = self.response(reply)?;
        let etag = self.version(reply).map_err(|error| self.unfit(error))?;
        Ok(Reply { json, etag })
    }

    /// The request message as JSON, with what is set.
    pub(crate) fn request_json(&self, request: &[u8]) -> Result<Vec<u8>, Error> {
        let options = Options { shows_defaults: false, ..Options::default() };
        to_json(&self.schema, options, self.rpc.input, request).map_err(|error| self.unfit(error))
    }

    fn unfit(&self, error: WireError) -> Error {
        Error::Reply { rpc: self.rpc.full_name.clone(), source: error.into() }
    }

    fn write(&self, reply: &[u8]) -> Result<Vec<u8>, WireError> {
        // RFC 6749, section 5.1: what a token lacks is not there. Clients take an empty refresh token for one.
        let shows_defaults = self.options.shows_defaults && !self.rpc.access.oauth2_errors;
        let options = Options { shows_defaults, ..self.options };
        let Some(field) = self.response_body else {
            return to_json(&self.schema, options, self.rpc.output, reply);
        };
        let mut writer = Writer::new(&self.schema, options, reply.len());
        writer.field_of(field.message, field.index, reply)?;
        Ok(writer.out)
    }

    /// The version of the resource that is shown.
    fn version(&self, reply: &[u8]) -> Result<Option<String>, WireError> {
        let Some(field) = self.response_body.map(|id| self.schema.field(id)) else {
            return self.etag_of(self.rpc.output, reply);
        };
        match (field.kind, last(reply, field.number)?) {
            (Kind::Message(id), Some(shown)) => self.etag_of(id, shown),
            _ => Ok(None),
        }
    }

    fn etag_of(&self, message: MessageId, bytes: &[u8]) -> Result<Option<String>, WireError> {
        let Some(field) = self.schema.declared(message, ETAG).map(|id| self.schema.field(id)) else { return Ok(None) };
        let text = last(bytes, field.number)?.filter(|_| field.kind == Kind::String).unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_| WireError::Utf8(field.name.clone()))?;
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }
}

/// The last field with this number that has a length.
fn last(bytes: &[u8], number: u32) -> Result<Option<&[u8]>, WireError> {
    let (mut cursor, mut last) = (Cursor::new(bytes), None);
    while let Some((found, _, content)) = cursor.field()? {
        if let Content::Bytes { start, end } = content
            && found == number
        {
            last = bytes.get(start..end);
        }
    }
    Ok(last)
}
