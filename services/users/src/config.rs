//! Configuration of users.

use crate::foreign::issuers::ForeignIssuers;
use rpc::{attempts::Rate, issuer::user_key_id};
use settings::{Error, Key, Secret, Settings};
use std::{path::Path, time::Duration};

const USER_TOKEN_KEY_FILE: Key = Key::new(
    "user-token-key-file",
    "COMPTOIR_USER_TOKEN_KEY_FILE",
    "File with the key that signs user tokens, PKCS#8 PEM; its name, user-tokens or user-tokens-…, is the id of the key",
)
.required();

const REFRESH_GRACE: Key = Key::new(
    "refresh-grace-seconds",
    "COMPTOIR_REFRESH_GRACE_SECONDS",
    "How long after its use a refresh token still answers with its successor",
)
.unit("seconds, 0 to 300")
.default("10");

const ACCOUNT_FAILURES: Key = Key::new(
    "account-failures",
    "COMPTOIR_ACCOUNT_FAILURES",
    "Wrong passwords of one account at once, and after how many seconds one more, N/SECONDS; 0 is no limit",
)
.default("10/60");

const FIRST_ADMIN: Key = Key::new(
    "first-admin",
    "COMPTOIR_FIRST_ADMIN",
    "Account, by its user id, that is made an admin at the start when no admin can sign in; it has registered as others do",
)
.default("");

const FOREIGN_ISSUERS: Key = Key::new(
    "foreign-issuers",
    "COMPTOIR_FOREIGN_ISSUERS",
    "Issuers whose tokens are exchanged for ours, a JSON list of {issuer, audience, jwksUri, roleClaim, roles}; see docs/SIGN_IN.md",
)
.default("[]");

/// The settings of users, beside those of every service.
pub const KEYS: &[Key] = &[USER_TOKEN_KEY_FILE, REFRESH_GRACE, ACCOUNT_FAILURES, FIRST_ADMIN, FOREIGN_ISSUERS];

#[derive(Debug, Clone)]
pub struct Config {
    pub service: service::Config,
    /// Key that signs user tokens, PKCS#8 PEM.
    pub user_token_key: Secret,
    /// The id of that key.
    pub user_token_key_id: String,
    /// How long after its use a refresh token still answers with its successor.
    pub refresh_grace: Duration,
    /// How often the password of an account may be wrong.
    pub account_failures: Rate,
    /// Id of the account that is made an admin when there is none.
    pub first_admin: Option<String>,
    /// Whose tokens are exchanged for ours.
    pub foreign_issuers: ForeignIssuers,
}

impl Config {
    /// Takes the configuration from the settings; reads the key file.
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            service: service::Config::resolve(settings)?,
            user_token_key: Secret::new(settings.file(&USER_TOKEN_KEY_FILE)?),
            user_token_key_id: user_key_id(Path::new(settings.value(&USER_TOKEN_KEY_FILE))).to_owned(),
            refresh_grace: settings.seconds(&REFRESH_GRACE, 0..=300)?,
            account_failures: settings.parsed(&ACCOUNT_FAILURES)?,
            foreign_issuers: settings.parsed(&FOREIGN_ISSUERS)?,
            first_admin: Some(settings.value(&FIRST_ADMIN)).filter(|id| !id.is_empty()).map(str::to_owned),
        })
    }
}
