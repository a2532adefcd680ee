//! Configuration of the sandbox provider.

use rpc::Limits;
use settings::{DATABASE, Error, Key, LISTEN, MONGODB_URI, PROVIDER_KEY, Secret, Settings, WEBHOOK_SECRET};

const WEBHOOK_URL: Key = Key::new("webhook-url", "COMPTOIR_WEBHOOK_URL", "Where the sandbox sends its webhooks")
    .default("http://payments:9013/v1/webhooks/sandbox");

/// The settings of the sandbox provider, beside those of its port.
pub const KEYS: &[Key] = &[LISTEN, MONGODB_URI, DATABASE, PROVIDER_KEY, WEBHOOK_SECRET, WEBHOOK_URL];

#[derive(Debug, Clone)]
pub struct Config {
    /// MongoDB connection string with its own user.
    pub mongodb_uri: Secret,
    pub database: String,
    /// What callers must bring as their bearer token.
    pub key: Secret,
    /// Where webhooks go; empty: nowhere.
    pub webhook_url: String,
    pub webhook_secret: Secret,
    pub limits: Limits,
}

impl Config {
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            mongodb_uri: settings.secret(&MONGODB_URI)?,
            database: settings.required(&DATABASE)?.to_owned(),
            key: settings.secret(&PROVIDER_KEY)?,
            webhook_url: settings.value(&WEBHOOK_URL).to_owned(),
            webhook_secret: settings.secret(&WEBHOOK_SECRET)?,
            limits: Limits::resolve(settings)?,
        })
    }
}
