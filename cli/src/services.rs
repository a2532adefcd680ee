//! The services by name. A new service is a line here and a table in `mesh/topology.toml`.

use anyhow::bail;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Runs the service that `config` names until `shutdown`, then drains it.
pub async fn run(config: service::Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    match config.name.as_str() {
        "users" => users::run(config, listener, shutdown).await?,
        "products" => products::run(config, listener, shutdown).await?,
        "inventory" => inventory::run(config, listener, shutdown).await?,
        "orders" => orders::run(config, listener, shutdown).await?,
        "order-history" => order_history::run(config, listener, shutdown).await?,
        "payments" => payments::run(config, listener, shutdown).await?,
        "shipping" => shipping::run(config, listener, shutdown).await?,
        name => bail!("{name} is in mesh/topology.toml but not in cli/src/services.rs: add its line there"),
    }
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
