//! The programs by name: the services, the gateway and the sandbox provider. A new service is a line here and a table in
//! `mesh/topology.toml`.

use anyhow::Context;
use futures::future::BoxFuture;
use settings::{Error, Key, Settings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The name that stands for the gateway beside those of the services.
pub const GATEWAY: &str = "gateway";

/// The sandbox payment provider, a program of the topology.
pub const SANDBOX_PSP: &str = "sandbox-psp";

/// Every program that `comptoir serve` runs.
pub const PROGRAMS: &[Program] = &[
    service("users", users::KEYS, |s| Ok(launch(users::Config::resolve(s)?, users::run))),
    service("products", products::KEYS, |s| Ok(launch(products::Config::resolve(s)?, products::run))),
    service("inventory", inventory::KEYS, |s| Ok(launch(inventory::Config::resolve(s)?, inventory::run))),
    service("orders", orders::KEYS, |s| Ok(launch(orders::Config::resolve(s)?, orders::run))),
    service("order-history", order_history::KEYS, |s| {
        Ok(launch(order_history::Config::resolve(s)?, order_history::run))
    }),
    service("analytics", analytics::KEYS, |s| Ok(launch(analytics::Config::resolve(s)?, analytics::run))),
    service("audit", audit::KEYS, |s| Ok(launch(audit::Config::resolve(s)?, audit::run))),
    service("payments", payments::KEYS, |s| Ok(launch_payments(payments::Config::resolve(s)?))),
    service("shipping", shipping::KEYS, |s| Ok(launch(shipping::Config::resolve(s)?, shipping::run))),
    service("baskets", baskets::KEYS, |s| Ok(launch(baskets::Config::resolve(s)?, baskets::run))),
    service("email", email::KEYS, |s| Ok(launch(email::Config::resolve(s)?, email::run))),
    service("privacy", privacy::KEYS, |s| Ok(launch(privacy::Config::resolve(s)?, privacy::run))),
    service("webhooks", webhooks::KEYS, |s| Ok(launch(webhooks::Config::resolve(s)?, webhooks::run))),
    program(GATEWAY, gateway::KEYS, |s| Ok(launch(gateway::Config::resolve(s)?, gateway::run))),
    program(SANDBOX_PSP, sandbox_psp::KEYS, |s| Ok(launch(sandbox_psp::Config::resolve(s)?, sandbox_psp::run))),
];

pub struct Program {
    pub name: &'static str,
    keys: [&'static [Key]; 3],
    /// Takes its configuration from the settings; starts nothing yet.
    pub prepare: Prepare,
}

impl Program {
    /// Its keys, in the order in which they are shown.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.into_iter().flatten()
    }

    pub fn has(&self, name: &str) -> bool {
        self.keys().any(|key| key.name == name)
    }
}

/// A program that is configured and waits for its sockets. Runs until the token is cancelled, then drains.
pub type Launch = Box<dyn FnOnce(Sockets, CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send>;

/// The open sockets of a program.
pub struct Sockets {
    /// Where it answers gRPC, or HTTP.
    pub main: TcpListener,
    /// Where it takes webhooks, when it declares [`settings::WEBHOOK_LISTEN`].
    pub webhooks: Option<TcpListener>,
}

type Prepare = fn(&Settings) -> Result<Launch, Error>;

const fn service(name: &'static str, own: &'static [Key], prepare: Prepare) -> Program {
    Program { name, keys: [::service::KEYS, own, rpc::Limits::KEYS], prepare }
}

const fn program(name: &'static str, own: &'static [Key], prepare: Prepare) -> Program {
    Program { name, keys: [own, rpc::Limits::KEYS, &[]], prepare }
}

pub fn find(name: &str) -> Result<&'static Program, Error> {
    PROGRAMS.iter().find(|program| program.name == name).ok_or_else(|| {
        let known = PROGRAMS.iter().map(|program| program.name).collect::<Vec<_>>().join(", ");
        Error::Name { name: name.to_owned(), known }
    })
}

fn launch<C, E, F>(config: C, run: impl FnOnce(C, TcpListener, CancellationToken) -> F + Send + 'static) -> Launch
where
    C: Send + 'static,
    E: Into<anyhow::Error>,
    F: Future<Output = Result<(), E>> + Send,
{
    Box::new(|sockets, shutdown| Box::pin(async move { run(config, sockets.main, shutdown).await.map_err(Into::into) }))
}

fn launch_payments(config: payments::Config) -> Launch {
    Box::new(|Sockets { main: grpc, webhooks }, shutdown| {
        Box::pin(async move {
            let webhooks = webhooks.context("payments needs a socket for webhooks")?;
            Ok(payments::run(config, payments::Listeners { grpc, webhooks }, shutdown).await?)
        })
    })
}
