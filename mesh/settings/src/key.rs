//! The declaration of one setting.

/// One setting of a program. The command line makes its flag, its line of `--help` and of `comptoir config` from this.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Name of the flag, without dashes.
    pub name: &'static str,
    pub variable: &'static str,
    /// Meaning and form.
    pub doc: &'static str,
    /// Unit of a number, with its bounds where it has any.
    pub unit: Option<&'static str>,
    pub fallback: Fallback,
    /// Whether the value is never shown.
    pub is_secret: bool,
    /// Whether it has several values, separated by commas: its flag may then be there several times.
    pub is_list: bool,
}

/// The value of a setting that is not set.
#[derive(Debug, Clone, Copy)]
pub enum Fallback {
    /// The program does not start without it.
    Required,
    /// The program does without it.
    Unset,
    Value(&'static str),
    /// A value that depends on the program's name or on the topology, and its description.
    Computed(&'static str, fn(&str) -> Option<String>),
}

impl Fallback {
    /// The default of the program `name`.
    pub fn value(&self, name: &str) -> Option<String> {
        match self {
            Fallback::Required | Fallback::Unset => None,
            Fallback::Value(value) => Some((*value).to_owned()),
            Fallback::Computed(_, compute) => compute(name),
        }
    }
}

impl Key {
    /// A setting that may stay unset.
    pub const fn new(name: &'static str, variable: &'static str, doc: &'static str) -> Self {
        Self { name, variable, doc, unit: None, fallback: Fallback::Unset, is_secret: false, is_list: false }
    }

    pub const fn required(self) -> Self {
        Self { fallback: Fallback::Required, ..self }
    }

    pub const fn default(self, value: &'static str) -> Self {
        Self { fallback: Fallback::Value(value), ..self }
    }

    /// The setting has a default that `compute` makes from the program's name; `description` says which.
    pub const fn computed(self, description: &'static str, compute: fn(&str) -> Option<String>) -> Self {
        Self { fallback: Fallback::Computed(description, compute), ..self }
    }

    pub const fn unit(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }

    pub const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    pub const fn list(self) -> Self {
        Self { is_list: true, ..self }
    }

    /// The line of `--help`: meaning, unit, default.
    pub fn help(&self) -> String {
        let unit = self.unit.map(|unit| format!(", in {unit}")).unwrap_or_default();
        let default = match self.fallback {
            Fallback::Required => ". Required".to_owned(),
            Fallback::Unset => String::new(),
            Fallback::Value(value) | Fallback::Computed(value, _) => format!("; default {value}"),
        };
        format!("{}{unit}{default} [env: {}]", self.doc, self.variable)
    }
}
