//! Configuration of privacy.

use settings::{Error, Key, Settings};
use std::time::Duration;

const ERASURE_PAUSE: Key = Key::new(
    "erasure-pause-seconds",
    "COMPTOIR_ERASURE_PAUSE_SECONDS",
    "Pause before services are asked again to erase; longer than any call that had read an account before it was deleted may take, 60",
)
.unit("seconds, 61 to 86400")
.default("300");

/// The shortest pause, in seconds. Within a shorter one a call could write what two passes have not seen; debug builds, whose
/// tests wait for erasures, take it nevertheless.
pub const SHORTEST_PAUSE: u32 = if cfg!(debug_assertions) { 2 } else { 61 };

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
        let erasure_pause = settings.seconds(&ERASURE_PAUSE, SHORTEST_PAUSE..=86_400)?;
        Ok(Self { service: service::Config::resolve(settings)?, erasure_pause })
    }
}
