//! The two places that a read model can be in: one is in use, in the other the next one is built.

use bson::Bson;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Collections and the durable consumer have their plain names.
    A,
    /// They end in `_b` and `-b`.
    B,
}

impl Slot {
    pub fn other(self) -> Self {
        match self {
            Slot::A => Slot::B,
            Slot::B => Slot::A,
        }
    }

    /// Name of a collection in this slot.
    pub fn collection(self, name: &str) -> String {
        match self {
            Slot::A => name.to_owned(),
            Slot::B => format!("{name}_b"),
        }
    }

    /// Durable name of the consumers of `service` that fill this slot.
    pub fn durable(self, service: &str) -> String {
        match self {
            Slot::A => service.to_owned(),
            Slot::B => format!("{service}-b"),
        }
    }

    /// From its stored name; what is absent or unknown is the first slot.
    pub(crate) fn parse(name: &str) -> Self {
        if name == "b" { Slot::B } else { Slot::A }
    }
}

impl From<Slot> for Bson {
    fn from(slot: Slot) -> Self {
        match slot {
            Slot::A => "a".into(),
            Slot::B => "b".into(),
        }
    }
}
