//! The services and the gateway as tasks of this process: how they start, and how they end.

use super::{stores::Stores, system::System, values};
use crate::{
    Environment,
    services::{PROGRAMS, Sockets},
    settings::{self, Flags},
};
use ::settings::WEBHOOK_LISTEN;
use anyhow::{Context, anyhow, bail};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long the services may take to finish what they have begun.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

pub struct Running {
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    shutdown: CancellationToken,
}

impl Running {
    /// Starts what runs here, and frees the addresses of the rest.
    pub fn start(system: &mut System, stores: &Stores) -> anyhow::Result<Self> {
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut webhooks = system.webhooks.listener.take();
        for program in PROGRAMS {
            let Some(main) = system.take_listener(program.name) else { continue };
            let flags = Flags(values::of(program.name, system, stores)?);
            // Without the environment: a variable that is meant for `serve` must not change one service of `dev`.
            let settings = settings::resolve(program.name, &flags, &Environment::new())?;
            let webhooks = webhooks.take_if(|_| settings.has(&WEBHOOK_LISTEN));
            let running = (program.prepare)(&settings)?(Sockets { main, webhooks }, shutdown.clone());
            tasks.spawn(async move { (program.name, running.await) });
        }
        Ok(Self { tasks, shutdown })
    }

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
