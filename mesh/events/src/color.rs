//! The two copies of a read model, blue and green: one is in use, the other is idle or being built.

use bson::Bson;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Collections and the durable consumer have their plain names.
    Blue,
    /// Their names end in `_b` and `-b`.
    Green,
}

impl Color {
    pub fn other(self) -> Self {
        match self {
            Color::Blue => Color::Green,
            Color::Green => Color::Blue,
        }
    }

    pub fn collection(self, name: &str) -> String {
        match self {
            Color::Blue => name.to_owned(),
            Color::Green => format!("{name}_b"),
        }
    }

    /// Name of the durable consumers of `service` that fill this copy.
    pub fn durable(self, service: &str) -> String {
        match self {
            Color::Blue => service.to_owned(),
            Color::Green => format!("{service}-b"),
        }
    }

    /// From the stored name. An absent name is blue: a model that was never rebuilt.
    pub(crate) fn parse(name: &str) -> Self {
        if name == "b" { Color::Green } else { Color::Blue }
    }
}

impl From<Color> for Bson {
    fn from(color: Color) -> Self {
        match color {
            Color::Blue => "a".into(),
            Color::Green => "b".into(),
        }
    }
}
