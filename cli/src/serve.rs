//! `comptoir serve`: one service, the gateway, or the sandbox provider, alone.

use crate::{
    Environment, logging,
    services::{self, Launch, Own},
    settings::{Flags, GATEWAY, ORDERS, PAYMENTS, SANDBOX_PSP, SHIPPING, Settings, USERS},
    signals,
};
use anyhow::Context;
use std::os::fd::AsFd;
use tokio::net::TcpListener;

/// Options of `comptoir serve`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// A service of the topology, "gateway" or "sandbox-psp"
    #[arg(value_name = "SERVICE")]
    pub name: String,
    /// The settings of the service.
    #[command(flatten)]
    pub flags: Flags,
}

/// Runs it until SIGTERM or SIGINT, then drains it.
pub async fn run(options: Options, environment: &Environment) -> anyhow::Result<()> {
    let settings = Settings::resolve(&options.name, &options.flags, environment)?;
    let log = || logging::start(&options.name, logging::Destination::StandardError, environment);
    if options.name == GATEWAY {
        let (config, listen) = (settings.gateway()?, settings.listen()?);
        let _guard = log()?;
        let (listener, shutdown) = (bind(listen).await?, signals::shutdown()?);
        return services::run_gateway(config, listener, shutdown).await;
    }
    if options.name == SANDBOX_PSP {
        let (config, listen) = (settings.sandbox_psp()?, settings.listen_unless_inherited()?);
        let _guard = log()?;
        let listener = match listen {
            Some(address) => bind(address).await?,
            None => inherited()?,
        };
        let shutdown = signals::shutdown()?;
        return services::run_sandbox_psp(config, listener, shutdown).await;
    }
    let config = settings.service()?;
    let payments =
        if options.name == PAYMENTS { Some((settings.payments()?, settings.webhook_listen()?)) } else { None };
    let other = match options.name.as_str() {
        SHIPPING => Own::Shipping(settings.shipping()?),
        ORDERS => Own::Orders(settings.orders()?),
        USERS => Own::Users(settings.users()?),
        _ => Own::Nothing,
    };
    let _guard = log()?;
    let listener = bind(config.listen).await?;
    let own = match payments {
        Some((own, webhooks)) => Own::Payments(own, bind(webhooks).await?),
        None => other,
    };
    services::run(Launch { config, listener, own }, signals::shutdown()?).await
}

/// The open socket that `comptoir dev` gives as the standard input.
fn inherited() -> anyhow::Result<TcpListener> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("take the socket from the standard input")?;
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true).context("the standard input is no socket")?;
    Ok(TcpListener::from_std(listener)?)
}

async fn bind(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}: free the port, or choose another with --listen"))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    Ok(listener)
}
