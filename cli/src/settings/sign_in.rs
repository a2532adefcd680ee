//! What signing in is configured with, at users and at the gateway.

use super::{
    Error, Settings,
    keys::{Key, Scope, key},
};
use std::time::Duration;

/// See [`users::Config::refresh_grace`].
pub(super) const REFRESH_GRACE: Key = key(
    "refresh-grace-seconds",
    "COMPTOIR_REFRESH_GRACE_SECONDS",
    Scope::Users,
    false,
    "How long after its use a refresh token still answers with its successor, in seconds, 0 to 300; default 10",
);

/// See [`users::Config::account_failures`].
pub(super) const ACCOUNT_FAILURES: Key = key(
    "account-failures",
    "COMPTOIR_ACCOUNT_FAILURES",
    Scope::Users,
    false,
    "Wrong passwords of one account at once, and after how many seconds one more, N/SECONDS; 0 is no limit; default 10/60",
);

/// See [`gateway::Config::address_failures`].
pub(super) const ADDRESS_FAILURES: Key = key(
    "address-failures",
    "COMPTOIR_ADDRESS_FAILURES",
    Scope::Gateway,
    false,
    "The same of failed sign-ins from one address, whatever the account; default 100/1",
);

/// See [`gateway::Config::trusted_proxies`].
pub(super) const TRUSTED_PROXIES: Key = key(
    "trusted-proxies",
    "COMPTOIR_TRUSTED_PROXIES",
    Scope::Gateway,
    false,
    "Proxies whose X-Forwarded-For tells the caller's address, ADDRESS or NETWORK,…; without it, that of the connection",
);

/// The default of one of these.
pub(super) fn default(flag: &str) -> Option<String> {
    let text = match flag {
        "refresh-grace-seconds" => "10",
        "account-failures" => "10/60",
        "address-failures" => "100/1",
        _ => return None,
    };
    Some(text.to_owned())
}

impl Settings {
    /// What users is configured with beside what every service is.
    pub fn users(&self) -> Result<users::Config, Error> {
        Ok(users::Config {
            refresh_grace: Duration::from_secs(self.bounded("refresh-grace-seconds", 0, 300)?.into()),
            account_failures: self.parsed("account-failures")?,
        })
    }

    /// Who is believed to say where a caller is; nobody when it is not set.
    pub(super) fn trusted_proxies(&self) -> Result<gateway::TrustedProxies, Error> {
        let value = &self.find("trusted-proxies").value;
        value.parse().map_err(|error| self.bad("trusted-proxies", error))
    }
}
