//! Configuration of payments.

use settings::{Error, Key, PROVIDER_KEY, Secret, Settings, WEBHOOK_LISTEN, WEBHOOK_SECRET};
use std::str::FromStr;

const PROVIDER: Key =
    Key::new("provider", "COMPTOIR_PROVIDER", "Payment provider: sandbox or stripe").default("sandbox");

const PROVIDER_URL: Key =
    Key::new("provider-url", "COMPTOIR_PROVIDER_URL", "Address of the provider's API, http(s)://HOST[:PORT]")
        .default("http://sandbox-psp:9014");

/// The settings of payments, beside those of every service.
pub const KEYS: &[Key] = &[PROVIDER, PROVIDER_URL, PROVIDER_KEY, WEBHOOK_SECRET, WEBHOOK_LISTEN];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    Sandbox,
    Stripe,
}

impl FromStr for ProviderKind {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "sandbox" => Ok(Self::Sandbox),
            "stripe" => Ok(Self::Stripe),
            _ => Err("known are sandbox and stripe"),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Config {
    pub service: service::Config,
    pub provider: ProviderKind,
    /// Address of its API, without a path.
    pub url: String,
    pub key: Secret,
    pub webhook_secret: Secret,
}

impl Config {
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            service: service::Config::resolve(settings)?,
            provider: settings.parsed(&PROVIDER)?,
            url: settings.required(&PROVIDER_URL)?.to_owned(),
            key: settings.secret(&PROVIDER_KEY)?,
            webhook_secret: settings.secret(&WEBHOOK_SECRET)?,
        })
    }
}
