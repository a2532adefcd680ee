//! `comptoir serve`: one service, the gateway, or the sandbox provider, alone.

use crate::{
    Environment, logging,
    services::{self, Sockets},
    settings::{self, Flags},
    signals,
};
use ::settings::WEBHOOK_LISTEN;
use anyhow::Context;
use std::{net::SocketAddr, os::fd::AsFd};
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
    if options.name == services::GATEWAY {
        // It reads files again then; it may be asked to before it has read them once, and when there are none.
        signals::survive_hangup()?;
    }
    let settings = settings::resolve(&options.name, &options.flags, environment)?;
    let launch = (services::find(&options.name)?.prepare)(&settings)?;
    // Everything that can be wrong is read before the first socket is open.
    let listen = settings.listen()?;
    let webhook_listen = settings.has(&WEBHOOK_LISTEN).then(|| settings.parsed(&WEBHOOK_LISTEN)).transpose()?;
    let _guard = logging::start(&options.name, logging::Destination::StandardError, environment)?;
    let main = match listen {
        Some(address) => bind(address).await?,
        None => inherited()?,
    };
    let webhooks = match webhook_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    launch(Sockets { main, webhooks }, signals::shutdown()?).await
}

/// The open socket that `comptoir dev` gives as the standard input.
fn inherited() -> anyhow::Result<TcpListener> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("take the socket from the standard input")?;
    let listener = std::net::TcpListener::from(socket);
    // tokio refuses to take a socket that blocks.
    listener.set_nonblocking(true).context("the standard input is no socket")?;
    Ok(TcpListener::from_std(listener)?)
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}: free the port, or choose another with --listen"))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    Ok(listener)
}
