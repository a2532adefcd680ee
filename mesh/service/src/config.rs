//! Configuration of every service. Each service declares what it has beside in a `config.rs` of its own.

use rpc::{Issuer, Limits, issuer::ISSUER};
use settings::{DATABASE, Error, JWKS_FILE, Key, LISTEN, MONGODB_URI, NATS_USER, Secret, Settings, addresses};
use std::collections::BTreeMap;

const NATS_URL: Key = settings::NATS_URL.required();

const NATS_PASSWORD: Key = settings::NATS_PASSWORD.required();

const PEERS: Key = Key::new("peers", "COMPTOIR_PEERS", "Addresses of the services, NAME=URI,…")
    .computed("http://NAME:PORT with the default ports", |_| Some(addresses(|name, _| name.to_owned())));

const SERVICE_KEY_FILE: Key =
    Key::new("service-key-file", "COMPTOIR_SERVICE_KEY_FILE", "File with the service's Ed25519 key, PKCS#8 PEM")
        .required();

const STREAM_REPLICAS: Key = Key::new(
    "stream-replicas",
    "COMPTOIR_STREAM_REPLICAS",
    "Copies of the service's stream in a NATS cluster, 1 to 5; counts when the stream is made",
)
.default("1");

/// The settings of every service, beside those of its port.
pub const KEYS: &[Key] = &[
    LISTEN,
    MONGODB_URI,
    DATABASE,
    NATS_URL,
    NATS_USER,
    NATS_PASSWORD,
    PEERS,
    SERVICE_KEY_FILE,
    JWKS_FILE,
    ISSUER,
    STREAM_REPLICAS,
];

#[derive(Debug, Clone)]
pub struct Config {
    pub name: String,
    /// MongoDB connection string with this service's own user, `mongodb://…/<database>?authSource=<database>`.
    pub mongodb_uri: Secret,
    /// Database; that of the topology unless a test sets another.
    pub database: String,
    /// NATS server, `nats://host:port`.
    pub nats_url: String,
    pub nats_user: String,
    pub nats_password: Secret,
    /// Addresses of the peers that it calls, by name, `http://host:port`.
    pub peers: BTreeMap<String, String>,
    /// This service's Ed25519 key in PKCS#8 PEM; signs its own short-lived tokens.
    pub service_key: Secret,
    /// Public keys of all services and of user tokens, a JWKS (RFC 7517, RFC 8037).
    pub jwks: String,
    /// Who issues the tokens of users.
    pub issuer: Issuer,
    /// Copies of its stream; counts when the stream is made.
    pub stream_replicas: u32,
    pub limits: Limits,
}

impl Config {
    /// Takes the configuration from the settings; reads the key files.
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            name: settings.name.clone(),
            mongodb_uri: settings.secret(&MONGODB_URI)?,
            database: settings.required(&DATABASE)?.to_owned(),
            nats_url: settings.required(&NATS_URL)?.to_owned(),
            nats_user: settings.required(&NATS_USER)?.to_owned(),
            nats_password: settings.secret(&NATS_PASSWORD)?,
            peers: settings.uris(&PEERS)?,
            service_key: Secret::new(settings.file(&SERVICE_KEY_FILE)?),
            jwks: settings.file(&JWKS_FILE)?,
            issuer: settings.parsed(&ISSUER)?,
            stream_replicas: settings.bounded(&STREAM_REPLICAS, 1..=5)?,
            limits: Limits::resolve(settings)?,
        })
    }
}
