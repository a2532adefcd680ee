//! `dev.json` and `serve/<name>.env` in the data directory: what tools, tests and `comptoir serve` need to join in.

use super::{data::DataDir, keys::Keys, nats::OPERATOR, ports::Endpoint, stores::Stores, system::System};
use crate::settings::{self, GATEWAY, PAYMENTS, SANDBOX_PSP};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};
use topology::Topology;

/// Name of the file.
pub const FILE: &str = "dev.json";

/// A running `comptoir dev`. Holds the credentials of the operators of both stores, and those of the sandbox provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// The JSON gateway, `http://host:port`.
    pub gateway: String,
    /// gRPC by service, `http://host:port`.
    pub grpc: BTreeMap<String, String>,
    /// The sandbox payment provider, `http://host:port`.
    pub sandbox_psp: String,
    /// Key of its API.
    pub provider_key: String,
    /// Where payments takes its webhooks, a URL.
    pub webhook_url: String,
    /// What they are signed with.
    pub webhook_secret: String,
    /// MongoDB as `root`.
    pub mongodb_uri: String,
    /// NATS server, `nats://host:port`.
    pub nats_url: String,
    /// NATS user who may do everything.
    pub nats_user: String,
    /// Its password.
    pub nats_password: String,
    /// The log of the services that run in this process.
    pub log: PathBuf,
    /// Key that signs user tokens, PKCS#8 PEM.
    pub user_token_key_file: PathBuf,
    /// All public keys.
    pub jwks_file: PathBuf,
    /// Process ids: comptoir, mongod, nats-server.
    pub pids: BTreeMap<String, u32>,
}

impl State {
    /// Of what has been started.
    pub fn new(system: &System, stores: &Stores, provider: u32, data: &DataDir) -> Self {
        let pids = [
            ("comptoir", std::process::id()),
            ("mongod", stores.mongod.child.pid()),
            ("nats-server", stores.nats.child.pid()),
            (SANDBOX_PSP, provider),
        ];
        Self {
            gateway: system.gateway_uri(),
            grpc: system.endpoints.iter().map(|(name, endpoint)| (name.clone(), endpoint.uri())).collect(),
            sandbox_psp: system.sandbox_psp.uri(),
            provider_key: system.credentials.provider_key.clone(),
            webhook_url: system.webhook_url(),
            webhook_secret: system.credentials.webhook_secret.clone(),
            mongodb_uri: stores.mongod.root_uri.clone(),
            nats_url: stores.nats.url.clone(),
            nats_user: OPERATOR.to_owned(),
            nats_password: system.credentials.nats_operator.clone(),
            log: data.join(super::LOG),
            user_token_key_file: system.keys.file(super::keys::USER_TOKENS),
            jwks_file: system.keys.jwks_file(),
            pids: pids.into_iter().map(|(name, pid)| (name.to_owned(), pid)).collect(),
        }
    }

    /// Writes `dev.json`.
    pub fn write(&self, data: &DataDir) -> anyhow::Result<()> {
        data.write(FILE, &serde_json::to_string_pretty(self)?)?;
        Ok(())
    }
}

/// Writes `serve/<name>.env` for every service and the gateway: with those variables `comptoir serve <name>` takes the
/// place of the one that this process would run.
pub fn write_env_files(data: &DataDir, system: &System, stores: &Stores) -> anyhow::Result<()> {
    data.directory("serve")?;
    let joined = |pairs: Vec<(String, String)>| {
        pairs.into_iter().map(|(name, uri)| format!("{name}={uri}")).collect::<Vec<_>>().join(",")
    };
    let jwks = system.keys.jwks_file().display().to_string();
    for (name, endpoint) in &system.endpoints {
        let mut values = service_values(name, endpoint, stores, &system.keys, system);
        values.insert("jwks-file", jwks.clone());
        values.insert("peers", joined(system.peers().into_iter().collect()));
        write_env(data, name, &values)?;
    }
    write_env(data, SANDBOX_PSP, &sandbox_psp_values(stores, system))?;
    let upstreams = joined(system.upstreams().into_iter().collect());
    let gateway = [("listen", system.gateway.to_string()), ("jwks-file", jwks), ("upstreams", upstreams)];
    write_env(data, GATEWAY, &BTreeMap::from(gateway))
}

/// The settings of the sandbox provider, by flag.
pub fn sandbox_psp_values(stores: &Stores, system: &System) -> BTreeMap<&'static str, String> {
    let (credentials, database) = (&system.credentials, &Topology::get().program[SANDBOX_PSP].database);
    let password = &credentials.services[SANDBOX_PSP].mongodb;
    BTreeMap::from([
        ("listen", system.sandbox_psp.address.to_string()),
        ("mongodb-uri", stores.mongod.service_uri(SANDBOX_PSP, password, database)),
        ("provider-key", credentials.provider_key.clone()),
        ("webhook-secret", credentials.webhook_secret.clone()),
        ("webhook-url", system.webhook_url()),
    ])
}

fn service_values(
    name: &str,
    endpoint: &Endpoint,
    stores: &Stores,
    keys: &Keys,
    system: &System,
) -> BTreeMap<&'static str, String> {
    let passwords = &system.credentials.services[name];
    let database = &Topology::get().service[name].database;
    let mut values = BTreeMap::from([
        ("listen", endpoint.address.to_string()),
        ("mongodb-uri", stores.mongod.service_uri(name, &passwords.mongodb, database)),
        ("nats-url", stores.nats.url.clone()),
        ("nats-password", passwords.nats.clone()),
        ("service-key-file", keys.file(name).display().to_string()),
        ("hold-seconds", system.hold_seconds.to_string()),
    ]);
    if Topology::get().uses(name, super::keys::USER_TOKENS) {
        values.insert("user-token-key-file", keys.file(super::keys::USER_TOKENS).display().to_string());
    }
    if name == PAYMENTS {
        values.insert("provider-url", system.sandbox_psp.uri());
        values.insert("provider-key", system.credentials.provider_key.clone());
        values.insert("webhook-secret", system.credentials.webhook_secret.clone());
        values.insert("webhook-listen", system.webhooks.address.to_string());
    }
    values
}

fn write_env(data: &DataDir, name: &str, values: &BTreeMap<&'static str, String>) -> anyhow::Result<()> {
    let lines = variables(values).map(|(variable, value)| format!("{variable}={value}\n"));
    data.write(&format!("serve/{name}.env"), &lines.collect::<String>())?;
    Ok(())
}

/// Settings by flag as variables.
pub fn variables<'a>(
    values: &'a BTreeMap<&'static str, String>,
) -> impl Iterator<Item = (&'static str, &'a str)> + use<'a> {
    let variable = |flag: &str| settings::KEYS.iter().find(|key| key.flag == flag).map(|key| key.variable);
    values.iter().filter_map(move |(flag, value)| Some((variable(flag)?, value.as_str())))
}
