//! `dev.json` in the data directory: what tools and tests need to join in.

use super::{
    data::{DataDir, LOG},
    nats::OPERATOR,
    stores::Stores,
    system::System,
};
use crate::services::SANDBOX_PSP;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

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
    pub provider_key: String,
    /// Where payments takes its webhooks, a URL.
    pub webhook_url: String,
    pub webhook_secret: String,
    /// MongoDB as `root`.
    pub mongodb_uri: String,
    /// NATS server, `nats://host:port`.
    pub nats_url: String,
    /// NATS user who may do everything.
    pub nats_user: String,
    pub nats_password: String,
    /// The log of the services that run in this process.
    pub log: PathBuf,
    /// Key that signs user tokens, PKCS#8 PEM.
    pub user_token_key_file: PathBuf,
    pub jwks_file: PathBuf,
    /// Process ids: comptoir, mongod, nats-server.
    pub pids: BTreeMap<String, u32>,
}

impl State {
    pub fn new(system: &System, stores: &Stores, provider: u32, data: &DataDir) -> Self {
        let pids = [
            ("comptoir", std::process::id()),
            ("mongod", stores.mongod.child.pid()),
            ("nats-server", stores.nats.child.pid()),
            (SANDBOX_PSP, provider),
        ];
        Self {
            gateway: system.gateway.uri(),
            grpc: system.endpoints.iter().map(|(name, endpoint)| (name.clone(), endpoint.uri())).collect(),
            sandbox_psp: system.sandbox_psp.uri(),
            provider_key: system.credentials.provider_key.clone(),
            webhook_url: system.webhook_url(),
            webhook_secret: system.credentials.webhook_secret.clone(),
            mongodb_uri: stores.mongod.root_uri.clone(),
            nats_url: stores.nats.url.clone(),
            nats_user: OPERATOR.to_owned(),
            nats_password: system.credentials.nats_operator.clone(),
            log: data.join(LOG),
            user_token_key_file: system.keys.user_token_file(),
            jwks_file: system.keys.jwks_file(),
            pids: pids.into_iter().map(|(name, pid)| (name.to_owned(), pid)).collect(),
        }
    }

    pub fn write(&self, data: &DataDir) -> anyhow::Result<()> {
        data.write(FILE, &serde_json::to_string_pretty(self)?)?;
        Ok(())
    }
}
