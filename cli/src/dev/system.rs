//! The services and the gateway as tasks of this process: what each is configured with, and how they end.

use super::{
    credentials::Credentials,
    keys::Keys,
    ports::{Endpoint, Endpoints},
    stores::Stores,
    values,
};
use crate::{
    Environment,
    services::{GATEWAY, PROGRAMS, SANDBOX_PSP, Sockets},
    settings::{self, Flags},
};
use ::settings::WEBHOOK_LISTEN;
use anyhow::{Context, anyhow, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use topology::Topology;

/// How long the services may take to finish what they have begun.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// Everything about the services that is known before they start.
pub struct System {
    /// Passwords.
    pub credentials: Credentials,
    /// Keys.
    pub keys: Keys,
    /// gRPC addresses of all services.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Where payments takes webhooks.
    pub webhooks: Endpoint,
    /// The sandbox provider, which is always started, as a child.
    pub sandbox_psp: Endpoint,
    /// Address of the gateway.
    pub gateway: SocketAddr,
    gateway_listener: Option<TcpListener>,
    /// Names that run in this process, "gateway" among them.
    pub here: BTreeSet<String>,
    /// Life of a stock hold; that of inventory's settings when absent.
    pub hold_seconds: Option<u32>,
}

impl System {
    /// Decides what runs here and binds its addresses.
    pub async fn bind(options: &super::Options, credentials: Credentials, keys: Keys) -> anyhow::Result<Self> {
        let here = names_here(options.services.as_deref())?;
        let Endpoints { services: endpoints, webhooks, sandbox_psp } = Endpoints::bind(options.grpc_base_port).await?;
        let listener = TcpListener::bind(options.gateway).await.with_context(|| {
            format!("{} is taken: stop what uses it, or choose another with --gateway", options.gateway)
        })?;
        let gateway = listener.local_addr()?;
        let hold_seconds = options.hold_seconds;
        let gateway_listener = Some(listener);
        Ok(Self { credentials, keys, endpoints, webhooks, sandbox_psp, gateway, gateway_listener, here, hold_seconds })
    }

    /// The gateway as a URI.
    pub fn gateway_uri(&self) -> String {
        format!("http://{}", self.gateway)
    }

    /// Whether everything runs in this process.
    pub fn is_complete(&self) -> bool {
        self.here.len() == self.endpoints.len() + 1
    }

    /// All services by name.
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
            GATEWAY => self.gateway,
            SANDBOX_PSP => self.sandbox_psp.address,
            service => self.endpoints[service].address,
        }
    }

    /// Starts what runs here, and frees the addresses of the rest.
    pub fn start(&mut self, stores: &Stores) -> anyhow::Result<Running> {
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut webhooks = self.webhooks.listener.take();
        for program in PROGRAMS {
            let Some(main) = self.listener(program.name).filter(|_| self.here.contains(program.name)) else { continue };
            let flags = Flags(values::of(program.name, self, stores)?);
            let settings = settings::resolve(program.name, &flags, &Environment::new())?;
            let webhooks = webhooks.take_if(|_| settings.has(&WEBHOOK_LISTEN));
            let running = (program.prepare)(&settings)?(Sockets { main, webhooks }, shutdown.clone());
            tasks.spawn(async move { (program.name, running.await) });
        }
        Ok(Running { tasks, shutdown })
    }

    /// The open socket of a service or of the gateway, once.
    fn listener(&mut self, name: &str) -> Option<TcpListener> {
        if name == GATEWAY { self.gateway_listener.take() } else { self.endpoints.get_mut(name)?.listener.take() }
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

/// The running tasks.
pub struct Running {
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    shutdown: CancellationToken,
}

impl Running {
    /// Waits until one of them ends although nobody asked it to, and tells how; for ever when there are none.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok((name, Ok(())))) => anyhow!("{name} ended although nobody asked it to"),
            Some(Ok((name, Err(error)))) => error.context(format!("{name} failed")),
            Some(Err(panic)) => anyhow::Error::from(panic).context("a service panicked"),
            None => std::future::pending().await,
        }
    }

    /// Asks all to finish and waits, within bounds. The error names the first that failed, or those that did not end.
    pub async fn drain(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        let all = async {
            let mut first = Ok(());
            while let Some(ended) = self.tasks.join_next().await {
                let outcome = match ended {
                    Ok((name, result)) => result.with_context(|| format!("{name} failed while it drained")),
                    Err(panic) => Err(panic.into()),
                };
                first = first.and(outcome);
            }
            first
        };
        let Ok(outcome) = tokio::time::timeout(DRAIN_LIMIT, all).await else {
            bail!("{} services did not drain within {} s", self.tasks.len(), DRAIN_LIMIT.as_secs());
        };
        outcome
    }
}
