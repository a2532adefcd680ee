//! `comptoir serve` as the next build would be: place_order has a next version, which plans the shipment before it commits
//! the stock, beside this one's.

use anyhow::Context;
use clap::Parser;
use comptoir::{
    Environment,
    args::{Cli, Command},
    logging, serve, settings, signals,
};
use orders::{CANCEL_ORDER, DISPATCH_ORDER, Definition, PLACE_ORDER, REFUND_ORDER, Sagas};
use saga::{Registry, StepSpec};
use tokio::net::TcpListener;

const NEXT_PLACE_ORDER: Definition = Definition {
    version: PLACE_ORDER.version + 1,
    steps: &[
        PLACE_ORDER.steps[0],
        PLACE_ORDER.steps[1],
        PLACE_ORDER.steps[3],
        StepSpec::new(PLACE_ORDER.steps[2].step),
    ],
    ..PLACE_ORDER
};

const NEXT: &Sagas = &Registry(&[&PLACE_ORDER, &NEXT_PLACE_ORDER, &CANCEL_ORDER, &DISPATCH_ORDER, &REFUND_ORDER]);

fn main() -> anyhow::Result<()> {
    let Command::Serve(options) = Cli::parse().command else { anyhow::bail!("only serve is another one here") };
    let environment: Environment = std::env::vars().collect();
    tokio::runtime::Runtime::new()?.block_on(run(options, &environment))
}

async fn run(options: serve::Options, environment: &Environment) -> anyhow::Result<()> {
    let settings = settings::resolve(&options.name, &options.flags, environment)?;
    let config = orders::Config { sagas: NEXT, ..orders::Config::resolve(&settings)? };
    let _guard = logging::start(&options.name, logging::Destination::StandardError, environment)?;
    let listener = TcpListener::bind(settings.listen()?.context("an address to listen on")?).await?;
    Ok(orders::run(config, listener, signals::shutdown()?).await?)
}
