//! What users is configured with beside what every service is.

use rpc::attempts::Rate;
use std::time::Duration;

/// How accounts are signed in to.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// How long after its use a refresh token still answers with its successor.
    pub refresh_grace: Duration,
    /// How often the password of an account may be wrong.
    pub account_failures: Rate,
}
