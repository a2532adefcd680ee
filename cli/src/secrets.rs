//! `comptoir secrets`: everything secret that an installation needs, as files, one directory for each Kubernetes Secret.

use crate::dev::{
    credentials::{self, Credentials},
    data::DataDir,
    keys::Keys,
};
use std::path::PathBuf;
use topology::Topology;

/// Options of `comptoir secrets`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Directory to write to; made when it is absent
    #[arg(long, value_name = "DIR", default_value = "secrets")]
    pub output: PathBuf,
}

/// Writes what is missing, and keeps what is there: also when a service is new.
pub fn run(options: Options) -> anyhow::Result<()> {
    let data = DataDir::open(&options.output)?;
    let credentials = Credentials::open(&data)?;
    Keys::open(&data)?;
    // Routes are between the servers of a cluster; `comptoir dev`, whose credentials these are otherwise, has one
    // server.
    let route = data.read("nats/route")?;
    for directory in ["mongodb", "nats", "payment-provider"] {
        data.directory(directory)?;
    }
    data.write("mongodb/root", &credentials.mongodb_root)?;
    data.write("mongodb/keyfile", &credentials.mongodb_key_file)?;
    data.write("nats/operator", &credentials.nats_operator)?;
    data.write("nats/gateway", &credentials.nats_gateway)?;
    data.write("nats/route", &route.unwrap_or_else(credentials::password))?;
    let topology = Topology::get();
    for (name, passwords) in &credentials.services {
        data.write(&format!("mongodb/{name}"), &passwords.mongodb)?;
        if topology.service(name).is_some() {
            data.write(&format!("nats/{name}"), &passwords.nats)?;
        }
    }
    data.write("payment-provider/COMPTOIR_PROVIDER_KEY", &credentials.provider_key)?;
    data.write("payment-provider/COMPTOIR_WEBHOOK_SECRET", &credentials.webhook_secret)?;
    crate::events::table::print(&format!(
        "keys/, mongodb/, nats/ and payment-provider/ (the sandbox's) in {} are four Secrets: \
         kubectl create secret generic comptoir-keys --from-file=keys, and so on\n",
        data.path().display()
    ))
}
