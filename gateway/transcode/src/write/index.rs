//! Where the fields of a message are: entries in the order of the contract, those of one field in the order of the wire.

use super::{Entry, Writer, Written};
use crate::{
    leaf,
    schema::{Field, Kind, Message, MessageId, Shape},
    wire::{Cursor, WireError, WireType},
};

impl Writer<'_> {
    /// Adds the entries of a message of type `id`. Fields that the contract does not have are left out.
    pub(super) fn index(&mut self, id: MessageId, bytes: &[u8]) -> Written {
        let message = self.schema.message(id);
        let (base, mut cursor) = (self.entries.len(), Cursor::new(bytes));
        let (mut last, mut is_in_order, mut members) = (0, true, 0);
        while let Some((number, wire_type, content)) = cursor.field()? {
            let Some(index) = message.numbered(number, last) else { continue };
            let Some(field) = message.fields.get(index as usize) else { continue };
            if !fits(field, wire_type) {
                return Err(WireError::WireType(field.name.clone()));
            }
            is_in_order &= index >= last;
            members += u32::from(field.oneof.is_some());
            last = index;
            self.entries.push(Entry { index, content });
        }
        if members > 1 {
            self.leave_last_members(message, base);
        }
        if !is_in_order {
            // Stable: of values of one field, the later ones stay behind.
            self.entries.get_mut(base..).unwrap_or_default().sort_by_key(|entry| entry.index);
        }
        Ok(())
    }

    /// Of a oneof, only the member stays that came last, and of that what came after all others.
    fn leave_last_members(&mut self, message: &Message, base: usize) {
        // The member that stays of each oneof, and whether another has been met, from the end.
        let mut oneofs: Vec<(Option<u32>, bool)> = vec![(None, false); usize::from(message.oneofs)];
        let mut kept: Vec<Entry> = Vec::with_capacity(self.entries.len() - base);
        for entry in self.entries.drain(base..).rev() {
            let oneof = message.fields.get(entry.index as usize).and_then(|field| field.oneof);
            let Some((winner, is_over)) = oneof.and_then(|oneof| oneofs.get_mut(usize::from(oneof))) else {
                kept.push(entry);
                continue;
            };
            let is_winner = *winner.get_or_insert(entry.index) == entry.index;
            *is_over |= !is_winner;
            if !*is_over {
                kept.push(entry);
            }
        }
        self.entries.extend(kept.into_iter().rev());
    }
}

/// Whether a field may come with this wire type. Numbers of a list come one by one or packed, whatever the contract says.
fn fits(field: &Field, wire_type: WireType) -> bool {
    let own = match field.kind {
        Kind::Message(_) if field.is_group => WireType::GroupStart,
        kind => leaf::wire_type(kind),
    };
    let is_packed = wire_type == WireType::Bytes && field.kind.is_packable() && field.shape != Shape::One;
    wire_type == own || is_packed
}
