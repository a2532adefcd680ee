//! The listening end: builds the gateway, serves until the shutdown, drains with a bounded grace.

use crate::{Config, Error, TrustedProxies, handle};
use rpc::{KeySet, Port, attempts::Attempts};
use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use transcode::Router;

/// How long requests under way may go on after the shutdown.
const GRACE: Duration = Duration::from_secs(10);
/// How long the replies of what was cut off after it may take.
const LAST_REPLIES: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What every request needs.
pub(crate) struct Gateway {
    pub router: Router,
    pub keys: KeySet,
    pub upstreams: BTreeMap<String, Channel>,
    pub body_limit_bytes: usize,
    pub deadline: Duration,
    pub failed_sign_ins: Attempts,
    pub trusted_proxies: TrustedProxies,
    pub ignored_parameters: Vec<String>,
    pub stream_keep_alive: Duration,
    /// Cancelled at the shutdown: streams end.
    pub stop: CancellationToken,
    /// Cancelled after the grace: calls end.
    pub cut: CancellationToken,
}

/// Serves `listener` until `shutdown`, then lets calls under way end for at most 10 s. Streams end at once. Connects to
/// an upstream when it is first called.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
    let cut = CancellationToken::new();
    let port = Port::http("gateway", listener, config.limits.clone());
    let gateway = Arc::new(Gateway::new(config, shutdown.clone(), cut.clone())?);
    let app = axum::Router::new().fallback(handle::handle).with_state(gateway);
    let mut serving = pin!(port.serve(app, shutdown.clone()));
    tokio::select! {
        () = serving.as_mut() => {}
        () = async { shutdown.cancelled().await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!(grace_s = GRACE.as_secs(), "requests were still under way after the grace; they are cut off");
            cut.cancel();
            drop(tokio::time::timeout(LAST_REPLIES, serving).await);
        }
    }
    Ok(())
}

impl Gateway {
    fn new(config: Config, stop: CancellationToken, cut: CancellationToken) -> Result<Self, Error> {
        let mut upstreams = BTreeMap::new();
        for (package, uri) in config.upstreams {
            let channel = connect(&uri).map_err(|source| Error::Upstream { package: package.clone(), uri, source })?;
            upstreams.insert(package, channel);
        }
        Ok(Gateway {
            router: Router::from_descriptors(contracts::DESCRIPTORS)?,
            keys: KeySet::from_jwks(&config.jwks)?,
            upstreams,
            body_limit_bytes: config.body_limit_bytes,
            deadline: config.deadline,
            failed_sign_ins: Attempts::new(config.address_failures),
            trusted_proxies: config.trusted_proxies,
            ignored_parameters: config.ignored_parameters.0,
            stream_keep_alive: config.stream_keep_alive,
            stop,
            cut,
        })
    }
}

fn connect(uri: &str) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(uri.to_owned())?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    Ok(endpoint.connect_lazy())
}
