//! Configuration of inventory.

use settings::{Error, Key, Settings};
use std::time::Duration;

const HOLD_SECONDS: Key = Key::new("hold-seconds", "COMPTOIR_HOLD_SECONDS", "Life of a stock hold")
    .unit("seconds, 1 to 86400")
    .default("900");

/// The settings of inventory, beside those of every service.
pub const KEYS: &[Key] = &[HOLD_SECONDS];

#[derive(Debug, Clone)]
pub struct Config {
    pub service: service::Config,
    pub hold: Duration,
}

impl Config {
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self { service: service::Config::resolve(settings)?, hold: settings.seconds(&HOLD_SECONDS, 1..=86_400)? })
    }
}
