//! The services by name. A new service is a line here and a table in `mesh/topology.toml`.

use anyhow::bail;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What a service is run with.
pub struct Launch {
    /// What every service is configured with.
    pub config: service::Config,
    /// Where it answers gRPC.
    pub listener: TcpListener,
    /// What it alone is configured with.
    pub own: Own,
}

/// What a service is configured with beside what every service is.
pub enum Own {
    /// Nothing.
    Nothing,
    /// Payments, and where it takes webhooks.
    Payments(payments::Config, TcpListener),
    /// Shipping.
    Shipping(shipping::Config),
    /// Orders.
    Orders(orders::Config),
    /// Users.
    Users(users::Config),
}

/// Runs the service that the configuration names until `shutdown`, then drains it.
pub async fn run(launch: Launch, shutdown: CancellationToken) -> anyhow::Result<()> {
    let Launch { config, listener, own } = launch;
    match (config.name.as_str(), own) {
        ("users", Own::Users(own)) => users::run(config, own, listener, shutdown).await?,
        ("products", _) => products::run(config, listener, shutdown).await?,
        ("inventory", _) => inventory::run(config, listener, shutdown).await?,
        ("orders", Own::Orders(own)) => orders::run(config, own, listener, shutdown).await?,
        ("order-history", _) => order_history::run(config, listener, shutdown).await?,
        ("payments", Own::Payments(own, webhooks)) => {
            payments::run(config, own, payments::Listeners { grpc: listener, webhooks }, shutdown).await?;
        }
        ("shipping", Own::Shipping(own)) => shipping::run(config, own, listener, shutdown).await?,
        (name, _) => bail!("{name} is in mesh/topology.toml but not in cli/src/services.rs: add its line there"),
    }
    Ok(())
}

/// Runs the sandbox provider until `shutdown`, then drains it.
pub async fn run_sandbox_psp(
    config: sandbox_psp::Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    sandbox_psp::run(config, listener, shutdown).await?;
    Ok(())
}

/// Runs the gateway until `shutdown`, then drains it.
pub async fn run_gateway(
    config: gateway::Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    gateway::run(config, listener, shutdown).await?;
    Ok(())
}
