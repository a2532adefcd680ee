//! Settings: the keys that a program declares, and their values in one run, from a flag, a variable or the default.
//!
//! Each service declares its keys beside its configuration, in its own `config.rs`, and reads them there:
//!
//! ```text
//! const HOLD_SECONDS: Key =
//!     Key::new("hold-seconds", "COMPTOIR_HOLD_SECONDS", "Life of a stock hold").unit("seconds, 1 to 86400").default("900");
//! pub const KEYS: &[Key] = &[HOLD_SECONDS];
//! let hold = settings.seconds(&HOLD_SECONDS, 1..=86_400)?;
//! ```
//!
//! The command line knows the lists alone: flags, `--help` and `comptoir config` are made from them. What several programs
//! have in common is in `common`.
//!
//! Invariant: a value that cannot be used is an error that names flag and variable, before anything is started.

mod common;
mod error;
mod key;
mod secret;

pub use common::{
    DATABASE, INHERITED, JWKS_FILE, LISTEN, MONGODB_URI, NATS_PASSWORD, NATS_URL, NATS_USER, PROVIDER_KEY,
    WEBHOOK_LISTEN, WEBHOOK_SECRET, addresses,
};
pub use error::Error;
pub use key::{Fallback, Key};
pub use secret::Secret;

use std::{collections::BTreeMap, fmt, net::SocketAddr, ops::RangeInclusive, str::FromStr, time::Duration};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Flag,
    Environment,
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Source::Flag => "flag",
            Source::Environment => "environment",
            Source::Default => "default",
        })
    }
}

/// One key with its value, which is empty when it is not set.
#[derive(Debug)]
pub struct Setting {
    pub key: &'static Key,
    pub value: String,
    pub source: Source,
}

/// All that one program is configured with.
#[derive(Debug)]
pub struct Settings {
    /// Name of the service, the gateway or the sandbox provider.
    pub name: String,
    /// Its keys with their values, in the order in which they were declared.
    pub all: Vec<Setting>,
}

impl Settings {
    /// Takes each key from the flags, the environment or its default. An empty variable counts as not set.
    pub fn new(
        name: &str,
        keys: impl IntoIterator<Item = &'static Key>,
        flags: &BTreeMap<&'static str, String>,
        environment: &BTreeMap<String, String>,
    ) -> Self {
        let setting = |key: &'static Key| {
            let variable = environment.get(key.variable).filter(|value| !value.is_empty());
            // Whoever types a flag means this run; the environment may be inherited.
            let (value, source) = match (flags.get(key.name), variable) {
                (Some(value), _) => (value.clone(), Source::Flag),
                (None, Some(value)) => (value.clone(), Source::Environment),
                (None, None) => (key.fallback.value(name).unwrap_or_default(), Source::Default),
            };
            Setting { key, value, source }
        };
        Self { name: name.to_owned(), all: keys.into_iter().map(setting).collect() }
    }

    pub fn has(&self, key: &'static Key) -> bool {
        self.all.iter().any(|setting| setting.key.name == key.name)
    }

    /// The address to serve on; none when the program has got its open socket as its standard input.
    pub fn listen(&self) -> Result<Option<SocketAddr>, Error> {
        if self.value(&LISTEN) == INHERITED { Ok(None) } else { self.parsed(&LISTEN).map(Some) }
    }

    /// The value; empty when it is not set.
    pub fn value(&self, key: &'static Key) -> &str {
        let found = self.all.iter().find(|setting| setting.key.name == key.name);
        &found.expect("a program reads only the keys that it declares").value
    }

    /// Whether nobody has set it.
    pub fn is_default(&self, key: &'static Key) -> bool {
        self.all.iter().any(|setting| setting.key.name == key.name && setting.source == Source::Default)
    }

    /// A value that must be there.
    pub fn required(&self, key: &'static Key) -> Result<&str, Error> {
        match self.value(key) {
            "" => Err(Error::Missing(key)),
            value => Ok(value),
        }
    }

    pub fn secret(&self, key: &'static Key) -> Result<Secret, Error> {
        self.required(key).map(Secret::new)
    }

    /// The error of a value that cannot be used.
    pub fn bad(&self, key: &'static Key, why: impl fmt::Display) -> Error {
        Error::Bad { key, why: why.to_string() }
    }

    /// A required value in the form of its type.
    pub fn parsed<T: FromStr<Err: fmt::Display>>(&self, key: &'static Key) -> Result<T, Error> {
        let value = self.required(key)?;
        value.parse().map_err(|error| self.bad(key, format!("{value:?}: {error}")))
    }

    /// A whole number within bounds.
    pub fn bounded(&self, key: &'static Key, bounds: RangeInclusive<u32>) -> Result<u32, Error> {
        let number: u32 = self.parsed(key)?;
        if bounds.contains(&number) {
            return Ok(number);
        }
        Err(self.bad(key, format!("{number} is not between {} and {}", bounds.start(), bounds.end())))
    }

    pub fn seconds(&self, key: &'static Key, bounds: RangeInclusive<u32>) -> Result<Duration, Error> {
        Ok(Duration::from_secs(self.bounded(key, bounds)?.into()))
    }

    pub fn file(&self, key: &'static Key) -> Result<String, Error> {
        let path = self.required(key)?;
        std::fs::read_to_string(path).map_err(|error| self.bad(key, format!("{path}: {error}")))
    }

    /// The content of a file in the form of its type; the type's default when no file is set.
    pub fn parsed_file<T: FromStr<Err: fmt::Display> + Default>(&self, key: &'static Key) -> Result<T, Error> {
        if self.value(key).is_empty() {
            return Ok(T::default());
        }
        self.file(key)?.parse().map_err(|error| self.bad(key, error))
    }

    /// A list NAME=URI,… by name.
    pub fn uris(&self, key: &'static Key) -> Result<BTreeMap<String, String>, Error> {
        let entries = self.required(key)?.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let pair = |entry: &str| match entry.split_once('=') {
            Some((name, uri)) if !name.is_empty() && uri.contains("://") => Ok((name.to_owned(), uri.to_owned())),
            _ => Err(self.bad(key, format!("{entry:?} is not NAME=URI"))),
        };
        entries.map(pair).collect()
    }
}
