//! Configuration of order-history.

use settings::{Error, Key, Settings};

/// The settings of order-history, beside those of every service.
pub const KEYS: &[Key] = &[];

#[derive(Debug, Clone)]
pub struct Config {
    /// What every service is configured with.
    pub service: service::Config,
}

impl Config {
    /// Takes the configuration from the settings.
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self { service: service::Config::resolve(settings)? })
    }
}
