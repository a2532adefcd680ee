//! What payments is configured with beside what every service is.

use service::Secret;
use std::str::FromStr;

/// Which provider holds the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// The sandbox provider.
    Sandbox,
    /// Stripe.
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

/// The provider.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which one.
    pub provider: ProviderKind,
    /// Address of its API, without a path.
    pub url: String,
    /// Secret key of its API.
    pub key: Secret,
    /// What it signs its webhooks with.
    pub webhook_secret: Secret,
}
