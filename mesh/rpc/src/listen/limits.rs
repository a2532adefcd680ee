//! The bounds of a port: how many connections, and how long they may wait.

use settings::{Error, Key, Settings};
use std::time::Duration;

const HEADER_TIMEOUT: Key = Key::new(
    "header-timeout-seconds",
    "COMPTOIR_HEADER_TIMEOUT_SECONDS",
    "How long a request's head may take, from the connect on",
)
.unit("seconds")
.default("10");

const IDLE_TIMEOUT: Key = Key::new(
    "idle-timeout-seconds",
    "COMPTOIR_IDLE_TIMEOUT_SECONDS",
    "How long an unused connection is kept, which is to be longer than a load balancer keeps it",
)
.unit("seconds")
.default("300");

const CONNECTIONS: Key = Key::new(
    "connections",
    "COMPTOIR_CONNECTIONS",
    "Connections to each port at once; a new one takes the place of the one idle for longest",
)
.default("4096");

const CONNECTIONS_PER_ADDRESS: Key = Key::new(
    "connections-per-address",
    "COMPTOIR_CONNECTIONS_PER_ADDRESS",
    "The same of one address, of IPv6 of a /64; behind an ingress or sidecar that is everybody's address",
)
.default("3072");

#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a head may take: from the connect to the first request, and from the first byte of each later one.
    pub header_timeout: Duration,
    /// How long a connection may have no request under way; of HTTP/2, before its first one.
    pub idle_timeout: Duration,
    pub connections: usize,
    /// Connections of one address; of an IPv6 address, of its /64. Behind an ingress or a sidecar all callers have one
    /// address, which may have most connections and never all.
    pub connections_per_address: usize,
}

impl Limits {
    /// The settings of every port.
    pub const KEYS: &[Key] = &[HEADER_TIMEOUT, IDLE_TIMEOUT, CONNECTIONS, CONNECTIONS_PER_ADDRESS];

    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            header_timeout: settings.seconds(&HEADER_TIMEOUT, 1..=86_400)?,
            idle_timeout: settings.seconds(&IDLE_TIMEOUT, 1..=86_400)?,
            connections: settings.bounded(&CONNECTIONS, 1..=1_000_000)? as usize,
            connections_per_address: settings.bounded(&CONNECTIONS_PER_ADDRESS, 1..=1_000_000)? as usize,
        })
    }
}
