//! Configuration of webhooks.

use crate::{network::Policy, post::Poster};
use reqwest::Certificate;
use settings::{Error, Key, Settings};

const NETWORKS: Key = Key::new(
    "webhook-networks",
    "COMPTOIR_WEBHOOK_NETWORKS",
    "Networks that webhooks may go to although they are not public, and by http too: CIDR,…",
);

const CA: Key = Key::new(
    "webhook-ca",
    "COMPTOIR_WEBHOOK_CA",
    "File with authorities, PEM, that receivers' certificates may be signed by, beside those of the web",
);

const SECONDS: Key = Key::new(
    "webhook-seconds",
    "COMPTOIR_WEBHOOK_SECONDS",
    "How long a receiver may take, from the connection to the end of its answer",
)
.unit("seconds, 1 to 60")
.default("15");

/// The settings of webhooks, beside those of every service.
pub const KEYS: &[Key] = &[NETWORKS, CA, SECONDS];

pub struct Config {
    pub service: service::Config,
    /// Where webhooks may go.
    pub policy: Policy,
    pub poster: Poster,
}

impl Config {
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        let service = service::Config::resolve(settings)?;
        let networks = settings.value(&NETWORKS).split(',').map(str::trim).filter(|network| !network.is_empty());
        let parsed = networks.map(|network| {
            network.parse().map_err(|error| settings.bad(&NETWORKS, format!("{network:?} is no network: {error}")))
        });
        let policy = Policy::new(parsed.collect::<Result<_, Error>>()?);
        let authorities = if settings.value(&CA).is_empty() {
            Vec::new()
        } else {
            Certificate::from_pem_bundle(settings.file(&CA)?.as_bytes()).map_err(|error| settings.bad(&CA, error))?
        };
        let poster = Poster::new(&policy, authorities, settings.seconds(&SECONDS, 1..=60)?);
        Ok(Self { service, policy, poster: poster.map_err(|error| settings.bad(&CA, error))? })
    }
}
