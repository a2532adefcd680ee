//! The settings of every port: how many connections, and how long they may wait.

use super::{Error, Settings};
use std::time::Duration;

impl Settings {
    /// The bounds of every port.
    pub(super) fn limits(&self) -> Result<rpc::Limits, Error> {
        let seconds = |flag| Ok::<_, Error>(Duration::from_secs(self.bounded(flag, 1, 86_400)?.into()));
        Ok(rpc::Limits {
            header_timeout: seconds("header-timeout-seconds")?,
            idle_timeout: seconds("idle-timeout-seconds")?,
            connections: self.bounded("connections", 1, 1_000_000)? as usize,
            connections_per_address: self.bounded("connections-per-address", 1, 1_000_000)? as usize,
        })
    }
}
