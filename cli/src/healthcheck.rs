//! `comptoir healthcheck`: is the one at this address ready? Made for container probes.

use anyhow::{Context, bail};
use std::time::Duration;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// Options of `comptoir healthcheck`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// grpc://HOST:PORT asks the gRPC health service, http://HOST:PORT[/PATH] and https://… expect a 200 (path /readyz by default);
    /// as Kubernetes' probes it takes any certificate
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/readyz")]
    pub addr: String,
}

/// Asks once; an error when it is not ready.
pub async fn run(options: Options) -> anyhow::Result<()> {
    match options.addr.strip_prefix("grpc://") {
        Some(address) => grpc(&format!("http://{address}")).await,
        None => http(&options.addr).await,
    }
}

/// Whether the gRPC server at `uri` (`http://host:port`) reports SERVING for all of it.
pub async fn grpc(uri: &str) -> anyhow::Result<()> {
    let endpoint = tonic::transport::Endpoint::new(uri.to_owned())
        .with_context(|| format!("{uri} is not an address; use grpc://HOST:PORT"))?
        .connect_timeout(DEADLINE)
        .timeout(DEADLINE);
    let mut client = HealthClient::new(endpoint.connect().await.with_context(|| format!("connect to {uri}"))?);
    let reply = client.check(HealthCheckRequest { service: String::new() }).await;
    let status = reply.with_context(|| format!("ask {uri} for its health"))?.into_inner().status();
    match status {
        ServingStatus::Serving => Ok(()),
        ServingStatus::Unknown | ServingStatus::NotServing | ServingStatus::ServiceUnknown => {
            bail!("{uri} answers {}", status.as_str_name())
        }
    }
}

/// Whether a GET of `url` answers 200; `/readyz` when it has no path.
pub async fn http(url: &str) -> anyhow::Result<()> {
    let mut url = reqwest::Url::parse(url).with_context(|| format!("{url} is not a URL; use http://HOST:PORT"))?;
    if url.path() == "/" {
        url.set_path("/readyz");
    }
    // A proxy of the environment would answer for the container. A certificate has the name by which callers know the gateway,
    // which is not that of a container; nothing secret is sent.
    let client = reqwest::Client::builder().timeout(DEADLINE).no_proxy().danger_accept_invalid_certs(true).build()?;
    let reply = client.get(url.clone()).send().await.with_context(|| format!("ask {url}"))?;
    let status = reply.status();
    if status.is_success() {
        return Ok(());
    }
    let body = reply.text().await.unwrap_or_default();
    bail!("{url} answers {status} {}", body.trim())
}
