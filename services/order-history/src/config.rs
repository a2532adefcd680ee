//! Configuration of order-history.

use settings::{Error, Key, Settings};

/// The settings of order-history, beside those of every service.
pub const KEYS: &[Key] = &[];

#[derive(Debug, Clone)]
pub struct Config {
    pub service: service::Config,
}

impl Config {
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self { service: service::Config::resolve(settings)? })
    }
}
