//! Maps: an entry is a message with a key and a value.

use super::{Writer, Written};
use crate::{
    schema::{Field, Kind, MessageId},
    wire::WireError,
};
use std::{collections::HashMap, ops::Range};

impl Writer<'_> {
    /// Of entries with one key, the last one counts.
    pub(super) fn map(&mut self, field: &Field, entries: Range<usize>, bytes: &[u8]) -> Written {
        let Kind::Message(id) = field.kind else { return Err(WireError::WireType(field.name.clone())) };
        let (key_field, value_field) = self.schema.message(id).entry();
        let mut last = HashMap::new();
        if entries.len() > 1 {
            for at in entries.clone() {
                last.insert(self.map_key(id, at, bytes)?, at);
            }
        }
        self.out.push(b'{');
        let mut is_first = true;
        for at in entries {
            if !last.is_empty() && last.get(&self.map_key(id, at, bytes)?) != Some(&at) {
                continue;
            }
            let Some(entry) = self.entries.get(at).copied() else { break };
            let (entry, base) = (entry.bytes(bytes), self.entries.len());
            self.index(id, entry)?;
            let split = self.entries.iter().skip(base).take_while(|entry| entry.index == 0).count() + base;
            self.separate(&mut is_first);
            self.map_text(key_field, base..split, entry)?;
            let value = split..self.entries.len();
            match value_field.kind {
                // A value that is not there is empty, also when it is a message.
                Kind::Message(id) if value.is_empty() => self.message(id, &[])?,
                _ => self.value(value_field, value, entry)?,
            }
            self.entries.truncate(base);
        }
        self.out.push(b'}');
        Ok(())
    }

    /// The key of a map entry as it is written, to be compared with others: the wire has several forms of one key.
    fn map_key(&mut self, id: MessageId, at: usize, bytes: &[u8]) -> Written<Vec<u8>> {
        let Some(entry) = self.entries.get(at).copied() else { return Ok(Vec::new()) };
        let (pair, base, start) = (entry.bytes(bytes), self.entries.len(), self.out.len());
        self.index(id, pair)?;
        let split = self.entries.iter().skip(base).take_while(|entry| entry.index == 0).count() + base;
        let (key_field, _) = self.schema.message(id).entry();
        self.map_text(key_field, base..split, pair)?;
        self.entries.truncate(base);
        Ok(self.out.split_off(start))
    }

    /// The key of a map entry: a text, whatever its kind.
    fn map_text(&mut self, field: &Field, entries: Range<usize>, bytes: &[u8]) -> Written {
        let is_bare = matches!(
            field.kind,
            Kind::Bool | Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Fixed32 | Kind::Sfixed32
        );
        if is_bare {
            self.out.push(b'"');
        }
        self.value(field, entries, bytes)?;
        self.out.extend_from_slice(if is_bare { b"\":" } else { b":" });
        Ok(())
    }
}
