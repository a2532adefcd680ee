//! Configuration of shipping.

use crate::rates::Rates;
use settings::{Error, Key, Settings};

const RATES_FILE: Key = Key::new(
    "rates-file",
    "COMPTOIR_RATES_FILE",
    "File with what it costs to send a parcel, TOML as services/shipping/src/rates.toml; default that one, built in",
);

/// The settings of shipping, beside those of every service.
pub const KEYS: &[Key] = &[RATES_FILE];

#[derive(Debug, Clone)]
pub struct Config {
    pub service: service::Config,
    /// The price of a parcel, by country and weight.
    pub rates: Rates,
}

impl Config {
    /// Takes the configuration from the settings; reads the table of rates.
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self { service: service::Config::resolve(settings)?, rates: settings.parsed_file(&RATES_FILE)? })
    }
}
