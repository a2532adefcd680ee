//! The services and the gateway as tasks of this process: what each is configured with, and how they end.

use super::{
    credentials::Credentials,
    keys::{Keys, USER_TOKENS},
    ports::{Endpoint, Endpoints},
    stores::Stores,
};
use crate::{
    Environment,
    services::{self, Launch, Own},
    settings::{Flags, GATEWAY, ORDERS, PAYMENTS, SHIPPING, Settings, USERS},
};
use anyhow::{Context, anyhow, bail};
use service::Secret;
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
    /// Life of a stock hold.
    pub hold_seconds: u32,
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

    /// Starts what runs here, and frees the addresses of the rest.
    pub fn start(&mut self, stores: &Stores) -> anyhow::Result<Running> {
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut webhooks = self.webhooks.listener.take().filter(|_| self.here.contains(PAYMENTS));
        let names: Vec<String> = self.endpoints.keys().cloned().collect();
        for name in names {
            let listener = self.endpoints.get_mut(&name).and_then(|endpoint| endpoint.listener.take());
            if let Some(listener) = listener.filter(|_| self.here.contains(&name)) {
                let own = match webhooks.take_if(|_| name == PAYMENTS) {
                    Some(webhooks) => Own::Payments(self.payments_config(), webhooks),
                    None if name == SHIPPING => Own::Shipping(shipping::Config::default()),
                    None if name == ORDERS => Own::Orders(orders::Config::default()),
                    None if name == USERS => Own::Users(users_config()?),
                    None => Own::Nothing,
                };
                let launch = Launch { config: self.service_config(&name, stores), listener, own };
                let running = services::run(launch, shutdown.clone());
                tasks.spawn(async move { (name, running.await) });
            }
        }
        if let Some(listener) = self.gateway_listener.take().filter(|_| self.here.contains(GATEWAY)) {
            let running = services::run_gateway(self.gateway_config()?, listener, shutdown.clone());
            tasks.spawn(async move { (GATEWAY.to_owned(), running.await) });
        }
        Ok(Running { tasks, shutdown })
    }

    fn service_config(&self, name: &str, stores: &Stores) -> service::Config {
        let passwords = &self.credentials.services[name];
        let database = Topology::get().service[name].database.clone();
        service::Config {
            name: name.to_owned(),
            listen: self.endpoints[name].address,
            mongodb_uri: Secret::new(stores.mongod.service_uri(name, &passwords.mongodb, &database)),
            database,
            nats_url: stores.nats.url.clone(),
            nats_user: name.to_owned(),
            nats_password: Secret::new(&passwords.nats),
            peers: self.peers(),
            service_key: Secret::new(&self.keys.pem[name]),
            jwks: self.keys.jwks.clone(),
            user_token_key: Topology::get().uses(name, USER_TOKENS).then(|| Secret::new(&self.keys.pem[USER_TOKENS])),
            hold_seconds: self.hold_seconds,
            stream_replicas: 1,
            limits: rpc::Limits::default(),
        }
    }

    fn payments_config(&self) -> payments::Config {
        payments::Config {
            provider: payments::ProviderKind::Sandbox,
            url: self.sandbox_psp.uri(),
            key: Secret::new(&self.credentials.provider_key),
            webhook_secret: Secret::new(&self.credentials.webhook_secret),
        }
    }

    /// Where the sandbox sends its webhooks.
    pub fn webhook_url(&self) -> String {
        format!("{}/v1/webhooks/sandbox", self.webhooks.uri())
    }

    /// As `comptoir serve gateway` would have it, so that limits have one default.
    fn gateway_config(&self) -> anyhow::Result<gateway::Config> {
        let jwks = self.keys.jwks_file().display().to_string();
        let flags = Flags(BTreeMap::from([("jwks-file", jwks)]));
        let defaults = Settings::resolve(GATEWAY, &flags, &Environment::new())?.gateway()?;
        Ok(gateway::Config { upstreams: self.upstreams(), ..defaults })
    }
}

/// The same of users.
fn users_config() -> anyhow::Result<users::Config> {
    Ok(Settings::resolve(USERS, &Flags::default(), &Environment::new())?.users()?)
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
    tasks: JoinSet<(String, anyhow::Result<()>)>,
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
