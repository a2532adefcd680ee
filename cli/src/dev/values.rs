//! The settings of each program under `comptoir dev`, and `serve/<name>.env` in the data directory, with which `comptoir
//! serve <name>` takes the place of the program that this process would run.

use super::{data::DataDir, stores::Stores, system::System};
use crate::services::{self, PROGRAMS, Program};
use std::collections::BTreeMap;
use topology::Topology;

/// Values by the name of their flag.
pub type Values = BTreeMap<&'static str, String>;

/// What `dev` says to the program `name`: of all that it knows, what the program has a key for.
pub fn of(name: &str, system: &System, stores: &Stores) -> anyhow::Result<Values> {
    let mut values = Values::from([
        ("listen", system.address(name).to_string()),
        ("nats-url", stores.nats.url.clone()),
        ("service-key-file", system.keys.file(name).display().to_string()),
        ("jwks-file", system.keys.jwks_file().display().to_string()),
        ("user-token-key-file", system.keys.user_token_file().display().to_string()),
        ("peers", joined(system.peers())),
        ("upstream", joined(system.upstreams())),
        ("provider-url", system.sandbox_psp.uri()),
        ("provider-key", system.credentials.provider_key.clone()),
        ("webhook-secret", system.credentials.webhook_secret.clone()),
        ("webhook-listen", system.webhooks.address.to_string()),
        ("webhook-url", system.webhook_url()),
        // Who tries webhooks here takes them here.
        ("webhook-networks", "127.0.0.0/8,::1/128".to_owned()),
        // Who tries an erasure here sees its end.
        ("erasure-pause-seconds", privacy::SHORTEST_PAUSE.to_string()),
        ("mail-directory", system.mail_directory.display().to_string()),
    ]);
    if let (Some(passwords), Some(database)) = (system.credentials.services.get(name), Topology::get().database(name)) {
        values.insert("mongodb-uri", stores.mongod.service_uri(name, &passwords.mongodb, database));
        values.insert("nats-password", passwords.nats.clone());
    }
    if name == services::GATEWAY {
        values.insert("nats-password", system.credentials.nats_gateway.clone());
    }
    values.extend(system.hold_seconds.map(|seconds| ("hold-seconds", seconds.to_string())));
    let program = services::find(name)?;
    // A program refuses what is none of its settings.
    values.retain(|flag, _| program.has(flag));
    Ok(values)
}

/// Writes `serve/<name>.env` for every program.
pub fn write_env_files(data: &DataDir, system: &System, stores: &Stores) -> anyhow::Result<()> {
    data.directory("serve")?;
    for program in PROGRAMS {
        let values = of(program.name, system, stores)?;
        let lines = variables(&values).map(|(variable, value)| format!("{variable}={value}\n"));
        data.write(&format!("serve/{}.env", program.name), &lines.collect::<String>())?;
    }
    Ok(())
}

pub fn variables(values: &Values) -> impl Iterator<Item = (&'static str, &str)> {
    let variable =
        |name: &str| PROGRAMS.iter().flat_map(Program::keys).find(|key| key.name == name).map(|key| key.variable);
    values.iter().filter_map(move |(name, value)| Some((variable(name)?, value.as_str())))
}

fn joined(uris: BTreeMap<String, String>) -> String {
    uris.into_iter().map(|(name, uri)| format!("{name}={uri}")).collect::<Vec<_>>().join(",")
}
