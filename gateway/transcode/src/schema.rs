//! The messages of a descriptor set as flat tables: all that a request or a reply is read and written with.
//!
//! The tables are made once, from descriptors (`compile`). Nothing looks a descriptor up afterwards.

mod compile;

use std::collections::HashMap;

/// A field path names at most this many fields.
const MAX_PATH: usize = 32;

/// The field that holds the version of a resource, by AIP-154.
pub(crate) const ETAG: &str = "etag";

#[derive(Debug)]
pub(crate) struct Schema {
    messages: Vec<Message>,
    enums: Vec<Enum>,
    by_name: HashMap<Box<str>, MessageId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageId(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EnumId(u32);

/// A field of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldId {
    pub message: MessageId,
    /// Its place among the fields of the message, which are in the order of their numbers.
    pub index: u32,
}

#[derive(Debug)]
pub(crate) struct Message {
    /// Full name: `comptoir.orders.v1.Order`.
    pub name: Box<str>,
    pub form: Form,
    /// In the order of their numbers.
    pub fields: Vec<Field>,
    /// JSON names and protobuf names with the places of their fields, in the order of the names.
    names: Vec<(Box<str>, u32)>,
    /// How many oneofs of several members it has.
    pub oneofs: u16,
}

/// The JSON that a message has. All but `Plain` belong to the well-known types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An object with a key for each field.
    Plain,
    Any,
    Duration,
    FieldMask,
    List,
    Struct,
    Timestamp,
    Value,
    /// The bare value of the one field that it has.
    Wrapper,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub number: u32,
    pub name: Box<str>,
    pub json_name: Box<str>,
    pub kind: Kind,
    pub shape: Shape,
    /// Whether it is told apart if it is set; what is not set is not shown.
    pub has_presence: bool,
    /// The oneof of several members that it belongs to, counted from 0.
    pub oneof: Option<u16>,
    /// Whether its message is written between two tags, without a length.
    pub is_group: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    One,
    List {
        packed: bool,
    },
    /// A list of messages with a key (field 1) and a value (field 2).
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(EnumId),
    Message(MessageId),
}

#[derive(Debug)]
pub(crate) struct Enum {
    /// Whether it is `google.protobuf.NullValue`, whose JSON is null.
    pub is_null: bool,
    /// Names and numbers as declared.
    pub values: Vec<(Box<str>, i32)>,
    /// Places in `values`, in the order of the names.
    by_name: Vec<u32>,
    /// Places in `values`, in the order of the numbers; of aliases, the one that is declared first.
    by_number: Vec<u32>,
}

impl Schema {
    pub(crate) fn message(&self, id: MessageId) -> &Message {
        self.messages.get(id.0 as usize).expect("a schema makes the ids of its messages")
    }

    pub(crate) fn enumeration(&self, id: EnumId) -> &Enum {
        self.enums.get(id.0 as usize).expect("a schema makes the ids of its enums")
    }

    pub(crate) fn field(&self, id: FieldId) -> &Field {
        self.message(id.message).fields.get(id.index as usize).expect("a message makes the ids of its fields")
    }

    /// The message of this full name.
    pub(crate) fn by_name(&self, name: &str) -> Option<MessageId> {
        self.by_name.get(name).copied()
    }

    /// The field of `message` called `name`, in its JSON or protobuf spelling.
    pub(crate) fn lookup(&self, message: MessageId, name: &str) -> Option<FieldId> {
        self.message(message).lookup(name, 0).map(|index| FieldId { message, index })
    }

    /// The message of `field` when its JSON is an object with one key per field; none for scalars, enums, maps and the
    /// well-known types, which have a JSON form of their own.
    pub(crate) fn plain(&self, field: &Field) -> Option<MessageId> {
        match field.kind {
            Kind::Message(id) if field.shape != Shape::Map && self.message(id).form == Form::Plain => Some(id),
            _ => None,
        }
    }

    /// The form of the message of `field`, when it has one.
    pub(crate) fn form(&self, field: &Field) -> Option<Form> {
        match field.kind {
            Kind::Message(id) => Some(self.message(id).form),
            _ => None,
        }
    }

    /// The fields along the dotted `path`: singular messages down to a leaf, which may be repeated.
    pub(crate) fn resolve(&self, message: MessageId, path: &str) -> Option<Vec<FieldId>> {
        let (ids, leaf) = self.walk(message, path)?;
        (leaf.shape != Shape::Map && self.plain(leaf).is_none()).then_some(ids)
    }

    /// The fields along the dotted `path`, down to a map whose values are leaves.
    pub(crate) fn resolve_map(&self, message: MessageId, path: &str) -> Option<Vec<FieldId>> {
        let (ids, map) = self.walk(message, path)?;
        let Kind::Message(entry) = map.kind else { return None };
        let is_leaf = || self.plain(self.message(entry).entry().1).is_none();
        (map.shape == Shape::Map && is_leaf()).then_some(ids)
    }

    fn walk(&self, message: MessageId, path: &str) -> Option<(Vec<FieldId>, &Field)> {
        let mut ids = Vec::new();
        let (mut within, mut last) = (Some(message), None);
        for name in path.split('.') {
            let id = self.lookup(within?, name)?;
            let field = self.field(id);
            within = if field.shape == Shape::One { self.plain(field) } else { None };
            ids.push(id);
            last = Some(field);
            if ids.len() > MAX_PATH {
                return None;
            }
        }
        Some((ids, last?))
    }

    /// The path of a field of `message`, in JSON names. What is no field stays as it is.
    pub(crate) fn json_path(&self, message: MessageId, path: &str) -> String {
        let mut within = Some(message);
        let spell = |piece: &str| {
            let (name, index) = piece.split_at(piece.find('[').unwrap_or(piece.len()));
            let Some(id) = within.take().and_then(|message| self.lookup(message, name)) else {
                return piece.to_owned();
            };
            let field = self.field(id);
            within = self.plain(field);
            format!("{}{index}", field.json_name)
        };
        path.split('.').map(spell).collect::<Vec<_>>().join(".")
    }

    /// The protobuf spelling of a field path.
    pub(crate) fn spell(&self, path: &[FieldId]) -> String {
        path.iter().map(|id| self.field(*id).name.as_ref()).collect::<Vec<_>>().join(".")
    }
}

impl Message {
    /// The place of the field called `name`. `hint` is the place that is looked at first: keys often come in the order of
    /// the fields.
    pub(crate) fn lookup(&self, name: &str, hint: u32) -> Option<u32> {
        if self.fields.get(hint as usize).is_some_and(|field| field.json_name.as_ref() == name) {
            return Some(hint);
        }
        let found = self.names.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.names.get(found).map(|(_, index)| *index)
    }

    /// The place of the field with this number. Fields mostly come in order, so those at `hint` and behind it are looked at
    /// first.
    pub(crate) fn numbered(&self, number: u32, hint: u32) -> Option<u32> {
        let is_here = |index: &u32| self.fields.get(*index as usize).is_some_and(|field| field.number == number);
        if let Some(near) = [hint, hint + 1].into_iter().find(is_here) {
            return Some(near);
        }
        let found = self.fields.binary_search_by_key(&number, |field| field.number).ok()?;
        u32::try_from(found).ok()
    }

    /// The key and the value of a map entry.
    pub(crate) fn entry(&self) -> (&Field, &Field) {
        match self.fields.as_slice() {
            [key, value] => (key, value),
            _ => unreachable!("the entry of a map has a key and a value"),
        }
    }
}

impl Enum {
    pub(crate) fn number(&self, name: &str) -> Option<i32> {
        let at = |place: &u32| self.values.get(*place as usize);
        let found = self.by_name.binary_search_by(|place| at(place).map_or("", |(name, _)| name).cmp(name)).ok()?;
        self.by_name.get(found).and_then(at).map(|(_, number)| *number)
    }

    pub(crate) fn name(&self, number: i32) -> Option<&str> {
        let at = |place: &u32| self.values.get(*place as usize);
        let found = self.by_number.binary_search_by_key(&number, |place| at(place).map_or(0, |(_, number)| *number));
        self.by_number.get(found.ok()?).and_then(at).map(|(name, _)| name.as_ref())
    }
}

impl Kind {
    /// Whether several values of it may share one length-delimited field.
    pub(crate) fn is_packable(self) -> bool {
        !matches!(self, Kind::String | Kind::Bytes | Kind::Message(_))
    }
}
