//! `comptoir dev`: the whole system on one machine.

mod banner;
pub mod credentials;
pub mod data;
pub mod keys;
pub mod mongod;
mod mongod_setup;
pub mod nats;
mod options;
pub mod ports;
pub mod programs;
mod progress;
mod ready;
mod running;
mod sandbox_psp;
pub mod seed;
pub mod state;
pub mod stores;
pub mod system;
pub mod values;

pub use options::Options;

use crate::{Environment, child::Child, logging, services::SANDBOX_PSP, settings, signals};
use anyhow::{Context, anyhow};
use data::{DataDir, LOG};
use progress::Progress;
use running::Running;
use std::time::Instant;
use stores::Stores;
use system::System;
use tokio_util::sync::CancellationToken;

/// Runs until SIGINT or SIGTERM, or until a part fails; then drains the services and stops the stores.
pub async fn run(options: Options, environment: &Environment) -> anyhow::Result<()> {
    let password = settings::demo_password(environment)?;
    let stop = signals::shutdown()?;
    let data = if options.ephemeral { DataDir::temporary()? } else { DataDir::open(&options.data)? };
    let _guard = logging::start("comptoir-dev", logging::Destination::File(data.join(LOG)), environment)?;
    let progress = Progress::start();
    let system = prepare(&options, &data, &progress).await?;
    let stores = tokio::select! {
        started = Stores::start(&data, &system.credentials, environment, &progress) => started?,
        () = stop.cancelled() => return Ok(()),
    };
    let dev = Dev { data: &data, stores: &stores, password: &password, progress: &progress };
    let outcome = dev.run(system, &stop).await;
    // Last, because services write until they have drained.
    stores.stop(&progress).await;
    outcome
}

async fn prepare(options: &Options, data: &DataDir, progress: &Progress) -> anyhow::Result<System> {
    let began = Instant::now();
    let credentials = credentials::Credentials::open(data)?;
    let keys = keys::Keys::open(data)?;
    let system = System::bind(options, credentials, keys, data).await?;
    progress.done("start", "data", "", began);
    Ok(system)
}

struct Dev<'a> {
    data: &'a DataDir,
    stores: &'a Stores,
    password: &'a str,
    progress: &'a Progress,
}

impl Dev<'_> {
    /// Starts the services, brings them up, watches over them, drains them.
    async fn run(&self, mut system: System, stop: &CancellationToken) -> anyhow::Result<()> {
        values::write_env_files(self.data, &system, self.stores)?;
        let provider = self.start_provider(&mut system)?;
        state::State::new(&system, self.stores, provider.pid(), self.data).write(self.data)?;
        let mut running = Running::start(&mut system, self.stores)?;
        let outcome = tokio::select! {
            failure = self.failed(&mut running, &provider) => Err(failure),
            () = stop.cancelled() => Ok(()),
            Err(error) = self.bring_up(&system) => Err(error),
        };
        let began = Instant::now();
        let drained = running.drain().await;
        // After the services: payments may still ask about what it has begun.
        provider.stop(sandbox_psp::STOP_GRACE).await;
        self.progress.done("stop", "services", "drained", began);
        outcome.and(drained)
    }

    fn start_provider(&self, system: &mut System) -> anyhow::Result<Child> {
        let listener = system.sandbox_psp.listener.take().context("the provider is started once")?;
        sandbox_psp::start(self.data, listener, &values::of(SANDBOX_PSP, system, self.stores)?)
    }

    /// Waits until all is ready, seeds, tells how to use it, and then never returns.
    async fn bring_up(&self, system: &System) -> anyhow::Result<std::convert::Infallible> {
        let began = Instant::now();
        ready::wait(system).await?;
        self.progress.done("start", "services", &format!("{} ready", system.here.len()), began);
        self.seed(system).await?;
        let product = seed::example_product(self.data)?;
        let (stores, data, password, product) = (self.stores, self.data, self.password, product.as_deref());
        banner::Banner { system, stores, data, password, product }.print()?;
        self.progress.note("ready", "", &format!("after {} ms; Ctrl-C stops everything", self.progress.elapsed_ms()));
        std::future::pending().await
    }

    /// Seeds on the first start, and on the next one after an interrupted first.
    async fn seed(&self, system: &System) -> anyhow::Result<()> {
        let needed = ["users", "products", "inventory"];
        if seed::example_product(self.data)?.is_some() || !needed.iter().all(|name| system.here.contains(*name)) {
            return Ok(());
        }
        let began = Instant::now();
        let products = seed::run(self.data, system, self.password).await?;
        self.progress.done("seed", "shop", &format!("{products} products"), began);
        Ok(())
    }

    /// Waits for a part that ends by itself.
    async fn failed(&self, running: &mut Running, provider: &Child) -> anyhow::Error {
        tokio::select! {
            error = running.failed() => error,
            _ = provider.exited() => anyhow!("the payment provider is gone: {}", provider.end_report()),
            error = self.stores.failed() => error,
        }
    }
}
