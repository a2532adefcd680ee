//! The JSON of the well-known types.

use super::{Writer, Written};
use crate::{
    mask_text,
    schema::{Form, MessageId},
    time,
    wire::{Content, Cursor, WireError},
};

impl Writer<'_> {
    pub(super) fn known(&mut self, id: MessageId, bytes: &[u8]) -> Written {
        match self.schema.message(id).form {
            Form::Timestamp => self.time(bytes, "google.protobuf.Timestamp", time::write_timestamp),
            Form::Duration => self.time(bytes, "google.protobuf.Duration", time::write_duration),
            Form::FieldMask => self.mask(bytes),
            // The one field is the JSON of the message.
            Form::Wrapper | Form::Struct | Form::List => self.only_field(id, bytes),
            Form::Value => self.json_value(id, bytes),
            Form::Any => self.any(bytes),
            Form::Plain => self.message(id, bytes),
        }
    }

    fn time(&mut self, bytes: &[u8], name: &'static str, write: fn(&mut String, i64, i32) -> bool) -> Written {
        let (seconds, nanos) = time::read(bytes)?;
        let mut text = String::with_capacity(32);
        if !write(&mut text, seconds, nanos) {
            return Err(WireError::NoJson(name));
        }
        self.text(&text);
        Ok(())
    }

    fn mask(&mut self, bytes: &[u8]) -> Written {
        let (mut cursor, mut text) = (Cursor::new(bytes), String::new());
        while let Some((number, _, content)) = cursor.field()? {
            let (1, Content::Bytes { start, end }) = (number, content) else { continue };
            let path = std::str::from_utf8(bytes.get(start..end).unwrap_or_default());
            let path = path.map_err(|_| WireError::Utf8("paths".into()))?;
            if !text.is_empty() {
                text.push(',');
            }
            if !mask_text::write_camel(&mut text, path) {
                return Err(WireError::NoJson("google.protobuf.FieldMask"));
            }
        }
        self.text(&text);
        Ok(())
    }

    fn only_field(&mut self, id: MessageId, bytes: &[u8]) -> Written {
        let base = self.entries.len();
        self.index(id, bytes)?;
        let Some(field) = self.schema.message(id).fields.first() else { return Ok(()) };
        self.value(field, base..self.entries.len(), bytes)?;
        self.entries.truncate(base);
        Ok(())
    }

    /// A `Value` holds one of several kinds; none is no JSON. JSON has no infinite numbers.
    fn json_value(&mut self, id: MessageId, bytes: &[u8]) -> Written {
        let base = self.entries.len();
        self.index(id, bytes)?;
        let own = self.entries.get(base..).unwrap_or_default();
        let entry = own.last().copied().ok_or(WireError::NoJson("google.protobuf.Value"))?;
        let Some(field) = self.schema.message(id).fields.get(entry.index as usize) else { return Ok(()) };
        if let (crate::schema::Kind::Double, Content::Number(bits)) = (field.kind, entry.content)
            && !f64::from_bits(bits).is_finite()
        {
            return Err(WireError::NoJson("google.protobuf.Value"));
        }
        self.value(field, base..self.entries.len(), bytes)?;
        self.entries.truncate(base);
        Ok(())
    }

    fn any(&mut self, bytes: &[u8]) -> Written {
        let (mut cursor, mut url, mut value): (_, &[u8], &[u8]) = (Cursor::new(bytes), &[], &[]);
        while let Some((number, _, content)) = cursor.field()? {
            match (number, content) {
                (1, Content::Bytes { start, end }) => url = bytes.get(start..end).unwrap_or_default(),
                (2, Content::Bytes { start, end }) => value = bytes.get(start..end).unwrap_or_default(),
                _ => {}
            }
        }
        let url = std::str::from_utf8(url).map_err(|_| WireError::Utf8("type_url".into()))?;
        if url.is_empty() && value.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        self.wrapped(url, value)
    }

    /// `{"@type": …}` with the fields of the message beside it, or with its JSON under `value` when that is no object of
    /// fields.
    pub(crate) fn wrapped(&mut self, url: &str, value: &[u8]) -> Written {
        let name = url.rsplit_once('/').map_or("", |(_, name)| name);
        let id = self.schema.by_name(name).ok_or_else(|| WireError::UnknownType(url.into()))?;
        let message = self.schema.message(id);
        self.out.push(b'{');
        self.key("@type");
        self.text(url);
        if message.form == Form::Plain && message.name.as_ref() != "google.protobuf.Empty" {
            self.members(id, value, false)?;
        } else {
            self.out.push(b',');
            self.key("value");
            self.message(id, value)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}
