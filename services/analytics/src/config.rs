//! Configuration of analytics.

use crate::domain::Calendar;
use settings::{Error, Key, Settings};

const TIME_ZONE: Key = Key::new(
    "time-zone",
    "COMPTOIR_TIME_ZONE",
    "Time zone of the shop, in which its days begin, a name of the IANA database such as Europe/Paris",
)
.default("UTC");

/// The settings of analytics, beside those of every service.
pub const KEYS: &[Key] = &[TIME_ZONE];

#[derive(Debug, Clone)]
pub struct Config {
    pub service: service::Config,
    /// The days, weeks and months of the shop.
    pub calendar: Calendar,
}

impl Config {
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self { service: service::Config::resolve(settings)?, calendar: settings.parsed(&TIME_ZONE)? })
    }
}
