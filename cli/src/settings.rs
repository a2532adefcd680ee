//! What a service or the gateway is configured with, and where each value comes from: flag, variable, default.

mod keys;
mod limits;
mod sign_in;

pub use keys::{
    DEMO_PASSWORD, GATEWAY, GRPC_BASE_PORT, HOLD_SECONDS, INHERITED, KEYS, Key, ORDERS, PAYMENTS, SANDBOX_PSP,
    SHIPPING, Scope, USERS,
};

use crate::Environment;
use service::Secret;
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use topology::Topology;

/// A mistake in the configuration; the process exits with 64.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such service.
    #[error("there is no service {name}; known: {known}")]
    Name {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A variable that nobody reads: a typing error, or that of another service.
    #[error("{variable} is not a setting of {name}; `comptoir config {name}` lists them")]
    Unknown {
        /// The variable.
        variable: String,
        /// The service.
        name: String,
    },
    /// A flag of another service.
    #[error("--{flag} is not a setting of {name}; `comptoir config {name}` lists them")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// The service.
        name: String,
    },
    /// Required and not set.
    #[error("{variable} (or --{flag}) is not set: {doc}")]
    Missing {
        /// The variable.
        variable: &'static str,
        /// The flag.
        flag: &'static str,
        /// What it means.
        doc: &'static str,
    },
    /// A variable that every command knows, not of the right form.
    #[error("{variable} cannot be used: {why}")]
    BadVariable {
        /// The variable.
        variable: &'static str,
        /// Why not.
        why: String,
    },
    /// Not of the right form.
    #[error("{variable} (or --{flag}) cannot be used: {why}")]
    Bad {
        /// The variable.
        variable: &'static str,
        /// The flag.
        flag: &'static str,
        /// Why not.
        why: String,
    },
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The command line.
    Flag,
    /// A variable.
    Environment,
    /// Neither.
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

/// The flags that were given, by name.
#[derive(Debug, Clone, Default)]
pub struct Flags(pub BTreeMap<&'static str, String>);

impl clap::Args for Flags {
    fn augment_args(command: clap::Command) -> clap::Command {
        KEYS.iter().fold(command, |command, key| {
            let help = format!("{} [env: {}]", key.doc, key.variable);
            let heading = match key.scope {
                Scope::All | Scope::Mesh | Scope::Stored => "Settings",
                Scope::Service => "Settings of a service",
                Scope::Gateway => "Settings of the gateway",
                Scope::Shipping => "Settings of shipping",
                Scope::Users => "Settings of users",
                Scope::Orders => "Settings of orders",
                Scope::Payments | Scope::Sandbox | Scope::Provider => "Settings of payments and the sandbox provider",
            };
            command.arg(clap::Arg::new(key.flag).long(key.flag).value_name("VALUE").help(help).help_heading(heading))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: &'static Key| Some((key.flag, matches.get_one::<String>(key.flag)?.clone()));
        Ok(Self(KEYS.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

/// One key with its value; empty when it is not set.
#[derive(Debug)]
pub struct Setting {
    /// The key.
    pub key: &'static Key,
    /// Its value.
    pub value: String,
    /// Where that comes from.
    pub source: Source,
}

/// Everything that one service, or the gateway, is configured with.
#[derive(Debug)]
pub struct Settings {
    /// The service, or "gateway".
    pub name: String,
    /// Its keys, in the order of [`KEYS`].
    pub all: Vec<Setting>,
}

impl Settings {
    /// Takes each key from the flags, the environment or its default. An empty variable counts as not set.
    pub fn resolve(name: &str, flags: &Flags, environment: &Environment) -> Result<Self, Error> {
        if name != GATEWAY && Topology::get().database(name).is_none() {
            return Err(Error::Name { name: name.to_owned(), known: known_names() });
        }
        refuse_unknown(name, environment, |key| key.applies_to(name))?;
        if let Some(key) = KEYS.iter().find(|key| flags.0.contains_key(key.flag) && !key.applies_to(name)) {
            return Err(Error::Flag { flag: key.flag, name: name.to_owned() });
        }
        let all = KEYS.iter().filter(|key| key.applies_to(name)).map(|key| {
            let variable = environment.get(key.variable).filter(|value| !value.is_empty());
            let (value, source) = match (flags.0.get(key.flag), variable) {
                (Some(value), _) => (value.clone(), Source::Flag),
                (None, Some(value)) => (value.clone(), Source::Environment),
                (None, None) => (key.default_for(name).unwrap_or_default(), Source::Default),
            };
            Setting { key, value, source }
        });
        Ok(Self { name: name.to_owned(), all: all.collect() })
    }

    /// The configuration of a service; reads the key files.
    pub fn service(&self) -> Result<service::Config, Error> {
        Ok(service::Config {
            name: self.name.clone(),
            listen: self.parsed("listen")?,
            mongodb_uri: Secret::new(self.required("mongodb-uri")?),
            database: self.required("database")?.to_owned(),
            nats_url: self.required("nats-url")?.to_owned(),
            nats_user: self.required("nats-user")?.to_owned(),
            nats_password: Secret::new(self.required("nats-password")?),
            peers: self.pairs("peers")?,
            service_key: Secret::new(self.file("service-key-file")?),
            jwks: self.file("jwks-file")?,
            user_token_key: match self.find("user-token-key-file").value.as_str() {
                "" => None,
                _ => Some(Secret::new(self.file("user-token-key-file")?)),
            },
            hold_seconds: self.bounded("hold-seconds", 1, 86_400)?,
            stream_replicas: self.bounded("stream-replicas", 1, 5)?,
            limits: self.limits()?,
        })
    }

    /// What payments is configured with beside what every service is.
    pub fn payments(&self) -> Result<payments::Config, Error> {
        Ok(payments::Config {
            provider: self.parsed("provider")?,
            url: self.required("provider-url")?.to_owned(),
            key: Secret::new(self.required("provider-key")?),
            webhook_secret: Secret::new(self.required("webhook-secret")?),
        })
    }

    /// The address on which payments takes webhooks.
    pub fn webhook_listen(&self) -> Result<std::net::SocketAddr, Error> {
        self.parsed("webhook-listen")
    }

    /// What shipping is configured with beside what every service is; reads the table of rates.
    pub fn shipping(&self) -> Result<shipping::Config, Error> {
        let rates = match self.find("rates-file").value.as_str() {
            "" => shipping::Rates::default(),
            _ => self.file("rates-file")?.parse().map_err(|error| self.bad("rates-file", error))?,
        };
        Ok(shipping::Config { rates })
    }

    /// What orders is configured with beside what every service is; reads the table of taxes.
    pub fn orders(&self) -> Result<orders::Config, Error> {
        let taxes = match self.find("taxes-file").value.as_str() {
            "" => orders::Table::default(),
            _ => self.file("taxes-file")?.parse().map_err(|error| self.bad("taxes-file", error))?,
        };
        let free_orders = match self.find("free-orders").value.as_str() {
            "accept" => true,
            "refuse" => false,
            other => return Err(self.bad("free-orders", format!("{other:?}: known are accept and refuse"))),
        };
        Ok(orders::Config { taxes: Arc::new(taxes), free_orders })
    }

    /// The configuration of the sandbox provider.
    pub fn sandbox_psp(&self) -> Result<sandbox_psp::Config, Error> {
        Ok(sandbox_psp::Config {
            mongodb_uri: Secret::new(self.required("mongodb-uri")?),
            database: self.required("database")?.to_owned(),
            key: Secret::new(self.required("provider-key")?),
            webhook_url: self.find("webhook-url").value.clone(),
            webhook_secret: Secret::new(self.required("webhook-secret")?),
            limits: self.limits()?,
        })
    }

    /// The configuration of the gateway; reads the JWKS file.
    pub fn gateway(&self) -> Result<gateway::Config, Error> {
        Ok(gateway::Config {
            upstreams: self.pairs("upstreams")?,
            jwks: self.file("jwks-file")?,
            body_limit_bytes: self.bounded("body-limit-bytes", 1024, 1 << 30)? as usize,
            deadline: Duration::from_secs(self.bounded("deadline-seconds", 1, 3600)?.into()),
            address_failures: self.parsed("address-failures")?,
            trusted_proxies: self.trusted_proxies()?,
            ignored_parameters: self.parsed("ignored-parameters")?,
            stream_keep_alive: Duration::from_secs(self.bounded("stream-keep-alive-seconds", 1, 3600)?.into()),
            limits: self.limits()?,
        })
    }

    /// The address to serve on.
    pub fn listen(&self) -> Result<std::net::SocketAddr, Error> {
        self.parsed("listen")
    }

    /// The same of a program that may have got its open socket instead: then none.
    pub fn listen_unless_inherited(&self) -> Result<Option<std::net::SocketAddr>, Error> {
        if self.find("listen").value == INHERITED { Ok(None) } else { self.listen().map(Some) }
    }

    fn find(&self, flag: &str) -> &Setting {
        self.all.iter().find(|setting| setting.key.flag == flag).expect("asked only for keys that apply")
    }

    fn required(&self, flag: &str) -> Result<&str, Error> {
        let Setting { key, value, .. } = self.find(flag);
        if value.is_empty() {
            return Err(Error::Missing { variable: key.variable, flag: key.flag, doc: key.doc });
        }
        Ok(value)
    }

    fn bad(&self, flag: &str, why: impl fmt::Display) -> Error {
        let key = self.find(flag).key;
        Error::Bad { variable: key.variable, flag: key.flag, why: why.to_string() }
    }

    fn parsed<T: std::str::FromStr<Err: fmt::Display>>(&self, flag: &str) -> Result<T, Error> {
        let value = self.required(flag)?;
        value.parse().map_err(|error| self.bad(flag, format!("{value:?}: {error}")))
    }

    fn bounded(&self, flag: &str, low: u32, high: u32) -> Result<u32, Error> {
        let number: u32 = self.parsed(flag)?;
        if (low..=high).contains(&number) {
            return Ok(number);
        }
        Err(self.bad(flag, format!("{number} is not between {low} and {high}")))
    }

    fn file(&self, flag: &str) -> Result<String, Error> {
        let path = self.required(flag)?;
        std::fs::read_to_string(path).map_err(|error| self.bad(flag, format!("{path}: {error}")))
    }

    fn pairs(&self, flag: &str) -> Result<BTreeMap<String, String>, Error> {
        let entries = self.required(flag)?.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let pair = |entry: &str| match entry.split_once('=') {
            Some((name, uri)) if !name.is_empty() && uri.contains("://") => Ok((name.to_owned(), uri.to_owned())),
            _ => Err(self.bad(flag, format!("{entry:?} is not NAME=URI"))),
        };
        entries.map(pair).collect()
    }
}

/// The password of the demo accounts. Refuses a variable that `comptoir dev` does not know, those of `serve` among them.
pub fn demo_password(environment: &Environment) -> Result<String, Error> {
    refuse_unknown("dev", environment, |_| false)?;
    let variable = "COMPTOIR_DEMO_PASSWORD";
    match environment.get(variable).filter(|value| !value.is_empty()) {
        None => Ok(DEMO_PASSWORD.to_owned()),
        Some(value) if (8..=128).contains(&value.chars().count()) => Ok(value.clone()),
        Some(_) => Err(Error::BadVariable { variable, why: "it has less than 8 or more than 128 characters".into() }),
    }
}

/// Refuses a COMPTOIR_* variable that is neither known everywhere nor a key that `applies`.
fn refuse_unknown(name: &str, environment: &Environment, applies: impl Fn(&Key) -> bool) -> Result<(), Error> {
    let known = |variable: &str| {
        keys::KNOWN_EVERYWHERE.contains(&variable)
            || KEYS.iter().any(|key| key.variable == variable && applies(key))
            || is_service_link(variable)
    };
    match environment.keys().find(|variable| variable.starts_with("COMPTOIR_") && !known(variable)) {
        Some(variable) => Err(Error::Unknown { variable: variable.clone(), name: name.to_owned() }),
        None => Ok(()),
    }
}

/// Kubernetes sets such variables for each Service of a namespace, and a release may well be called `comptoir`.
fn is_service_link(variable: &str) -> bool {
    variable.ends_with("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || variable.ends_with("_PORT")
        || variable.contains("_TCP")
}

fn known_names() -> String {
    let services = Topology::get().service.keys().map(String::as_str);
    services.chain([SANDBOX_PSP, GATEWAY]).collect::<Vec<_>>().join(", ")
}
