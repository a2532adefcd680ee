//! Configuration of audit.

use settings::{Error, Key, Settings};

/// The settings of audit, beside those of every service.
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
