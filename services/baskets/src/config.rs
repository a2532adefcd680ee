//! Configuration of baskets.

use settings::{Error, Key, Settings};
use std::time::Duration;

const BASKET_SECONDS: Key =
    Key::new("basket-seconds", "COMPTOIR_BASKET_SECONDS", "Life of a basket after its last change; default 30 days")
        .unit("seconds, 1 to 31536000")
        .default("2592000");

/// The settings of baskets, beside those of every service.
pub const KEYS: &[Key] = &[BASKET_SECONDS];

#[derive(Debug, Clone)]
pub struct Config {
    pub service: service::Config,
    /// How long a basket is there after its last change.
    pub life: Duration,
}

impl Config {
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        let life = settings.seconds(&BASKET_SECONDS, 1..=31_536_000)?;
        Ok(Self { service: service::Config::resolve(settings)?, life })
    }
}
