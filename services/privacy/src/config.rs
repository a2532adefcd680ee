//! Configuration of privacy.

use settings::{Error, Key, Settings};
use std::time::Duration;

const ERASURE_PAUSE: Key = Key::new(
    "erasure-pause-seconds",
    "COMPTOIR_ERASURE_PAUSE_SECONDS",
    "Pause before services are asked again to erase; longer than any call that had read an account before it was deleted may take, 60",
)
.unit("seconds, 1 to 86400")
.default("300");

/// The settings of privacy, beside those of every service.
pub const KEYS: &[Key] = &[ERASURE_PAUSE];

#[derive(Debug, Clone)]
pub struct Config {
    pub service: service::Config,
    /// Pause after the first pass of an erasure; those after later passes are longer.
    pub erasure_pause: Duration,
}

impl Config {
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        let erasure_pause = settings.seconds(&ERASURE_PAUSE, 1..=86_400)?;
        Ok(Self { service: service::Config::resolve(settings)?, erasure_pause })
    }
}
