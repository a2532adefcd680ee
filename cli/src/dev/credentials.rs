//! Passwords: one per service for MongoDB, one per service for NATS, one for the operator of each. Made once, kept.

use super::data::DataDir;
use anyhow::Context;
use rand::{Rng, distr::Alphanumeric};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use topology::Topology;

const FILE: &str = "credentials.json";

/// Characters of a password, letters and digits: no need to escape it in a URI. 190 bits.
const PASSWORD_LENGTH: usize = 32;

#[derive(Debug, Serialize, Deserialize, Default)]
pub struct Credentials {
    pub mongodb_root: String,
    /// NATS user `operator`, who may do everything.
    pub nats_operator: String,
    /// NATS user `gateway`, who counts rate limits.
    #[serde(default)]
    pub nats_gateway: String,
    pub mongodb_key_file: String,
    /// Key of the sandbox provider's API.
    #[serde(default)]
    pub provider_key: String,
    /// What the sandbox provider signs its webhooks with.
    #[serde(default)]
    pub webhook_secret: String,
    /// By service, and by program with a database.
    pub services: BTreeMap<String, ServicePasswords>,
}

/// The passwords of one service; its user is called like the service.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServicePasswords {
    pub mongodb: String,
    /// Of its NATS user; a program has none.
    pub nats: String,
}

impl Credentials {
    /// Reads them; makes those that are missing, also for a service that is new since.
    pub fn open(data: &DataDir) -> anyhow::Result<Self> {
        let kept = data.read(FILE)?;
        let mut all: Self = match &kept {
            Some(text) => serde_json::from_str(text).with_context(|| format!("read {}", data.join(FILE).display()))?,
            None => Self::default(),
        };
        let secrets = [
            &mut all.mongodb_root,
            &mut all.nats_operator,
            &mut all.nats_gateway,
            &mut all.mongodb_key_file,
            &mut all.provider_key,
            &mut all.webhook_secret,
        ];
        for secret in secrets {
            if secret.is_empty() {
                *secret = password();
            }
        }
        for name in Topology::get().stores() {
            let fresh = || ServicePasswords { mongodb: password(), nats: password() };
            all.services.entry(name.to_owned()).or_insert_with(fresh);
        }
        let text = serde_json::to_string_pretty(&all)?;
        // Not rewritten when nothing is new: what is read by a running installation stays untouched.
        if kept.as_ref() != Some(&text) {
            data.write(FILE, &text)?;
        }
        Ok(all)
    }
}

pub fn password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(PASSWORD_LENGTH).map(char::from).collect()
}
