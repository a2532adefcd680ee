//! What is known about the programs before they start: names, credentials, keys, and addresses that are bound already.

use super::{
    credentials::Credentials,
    data::DataDir,
    keys::Keys,
    options::Options,
    ports::{Endpoint, Endpoints},
};
use crate::services::{GATEWAY, SANDBOX_PSP};
use anyhow::{Context, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
};
use tokio::net::TcpListener;
use topology::Topology;

/// Name of the directory in the data directory that mails are put in.
const MAIL: &str = "mail";

/// Everything about the services that is known before they start.
pub struct System {
    pub credentials: Credentials,
    pub keys: Keys,
    pub endpoints: BTreeMap<String, Endpoint>,
    pub webhooks: Endpoint,
    /// The sandbox provider, which is always started, as a child.
    pub sandbox_psp: Endpoint,
    pub gateway: Endpoint,
    /// Names that run in this process, "gateway" among them.
    pub here: BTreeSet<String>,
    /// Where mails are put: there is no mail server.
    pub mail_directory: PathBuf,
    /// Life of a stock hold; that of inventory's settings when absent.
    pub hold_seconds: Option<u32>,
}

impl System {
    /// Decides what runs here and binds its addresses.
    pub async fn bind(options: &Options, credentials: Credentials, keys: Keys, data: &DataDir) -> anyhow::Result<Self> {
        let here = names_here(options.services.as_deref())?;
        let Endpoints { services: endpoints, webhooks, sandbox_psp } = Endpoints::bind(options.grpc_base_port).await?;
        let listener = TcpListener::bind(options.gateway).await.with_context(|| {
            format!("{} is taken: stop what uses it, or choose another with --gateway", options.gateway)
        })?;
        let gateway = Endpoint { address: listener.local_addr()?, listener: Some(listener) };
        let hold_seconds = options.hold_seconds;
        let mail_directory = data.directory(MAIL)?;
        Ok(Self { credentials, keys, endpoints, webhooks, sandbox_psp, gateway, here, mail_directory, hold_seconds })
    }

    pub fn is_complete(&self) -> bool {
        self.here.len() == self.endpoints.len() + 1
    }

    pub fn peers(&self) -> BTreeMap<String, String> {
        self.endpoints.iter().map(|(name, endpoint)| (name.clone(), endpoint.uri())).collect()
    }

    /// All services by the package that they serve.
    pub fn upstreams(&self) -> BTreeMap<String, String> {
        let proto = |name: &str| Topology::get().service[name].proto.clone();
        self.endpoints.iter().map(|(name, endpoint)| (proto(name), endpoint.uri())).collect()
    }

    /// Address of a service, of the gateway or of the sandbox provider.
    pub fn address(&self, name: &str) -> SocketAddr {
        match name {
            GATEWAY => self.gateway.address,
            SANDBOX_PSP => self.sandbox_psp.address,
            service => self.endpoints[service].address,
        }
    }

    /// The open socket of a service or of the gateway, once, when it runs here. Of another it is closed: its address is
    /// free for the process that runs it.
    pub fn take_listener(&mut self, name: &str) -> Option<TcpListener> {
        let endpoint = if name == GATEWAY { &mut self.gateway } else { self.endpoints.get_mut(name)? };
        endpoint.listener.take().filter(|_| self.here.contains(name))
    }

    /// Where the sandbox sends its webhooks.
    pub fn webhook_url(&self) -> String {
        format!("{}/v1/webhooks/sandbox", self.webhooks.uri())
    }
}

/// The names of `--services`, or all.
fn names_here(chosen: Option<&[String]>) -> anyhow::Result<BTreeSet<String>> {
    let all = || Topology::get().service.keys().cloned().chain([GATEWAY.to_owned()]).collect::<BTreeSet<_>>();
    let Some(chosen) = chosen else { return Ok(all()) };
    let here: BTreeSet<String> = chosen.iter().filter(|name| !name.is_empty()).cloned().collect();
    if let Some(stranger) = here.difference(&all()).next() {
        bail!("--services: there is no {stranger} in mesh/topology.toml");
    }
    Ok(here)
}
