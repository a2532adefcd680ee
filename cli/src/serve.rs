//! `comptoir serve`: one service, or the gateway, alone.

use crate::{
    Environment, args, logging, services,
    settings::{GATEWAY, Settings},
    signals,
};
use anyhow::Context;
use tokio::net::TcpListener;

/// Runs it until SIGTERM or SIGINT, then drains it.
pub async fn run(options: args::Serve, environment: &Environment) -> anyhow::Result<()> {
    let settings = Settings::resolve(&options.name, &options.flags, environment)?;
    let listen = settings.listen()?;
    if options.name == GATEWAY {
        let config = settings.gateway()?;
        let _guard = logging::start(GATEWAY, logging::Destination::StandardError, environment)?;
        let (listener, shutdown) = (bind(listen).await?, signals::shutdown()?);
        return services::run_gateway(config, listener, shutdown).await;
    }
    let config = settings.service()?;
    let _guard = logging::start(&options.name, logging::Destination::StandardError, environment)?;
    let (listener, shutdown) = (bind(listen).await?, signals::shutdown()?);
    services::run(config, listener, shutdown).await
}

async fn bind(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}: free the port, or choose another with --listen"))?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    Ok(listener)
}
