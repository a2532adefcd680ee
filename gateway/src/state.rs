//! What every request needs: routes, keys, a connection to each upstream, and the bounds.

use crate::{Config, Error, client::TrustedProxies, cors::Cors, limits::Limits, pages::Pages};
use limit::Shared;
use rpc::{KeySet, attempts::Attempts};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use transcode::Router;

/// How long a connect may take; within a cluster it takes milliseconds, or nobody listens.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Pings on a quiet connection, and the wait for their answers: an upstream whose host has died is noticed after 25 s, when
/// TCP would still wait for minutes.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Gateway {
    pub router: Router,
    pub pages: Pages,
    pub keys: KeySet,
    pub upstreams: BTreeMap<String, Channel>,
    pub body_limit_bytes: usize,
    pub deadline: Duration,
    pub failed_sign_ins: Attempts,
    pub limits: Limits,
    pub trusted_proxies: TrustedProxies,
    pub cors: Cors,
    pub ignored_parameters: Vec<String>,
    pub stream_keep_alive: Duration,
    /// Cancelled at the shutdown: streams end.
    pub stop: CancellationToken,
    /// Cancelled after the grace: calls end.
    pub cut: CancellationToken,
}

impl Gateway {
    /// Connects to an upstream when it is first called. `shared` counts for the rate limits.
    pub(crate) fn new(
        config: Config,
        shared: Option<&Arc<Shared>>,
        stop: CancellationToken,
        cut: CancellationToken,
    ) -> Result<Self, Error> {
        let router = Router::from_descriptors(contracts::DESCRIPTORS)?;
        let limits = Limits::new(config.rate_limits, shared);
        if let Some(name) = limits.unknown(&router) {
            return Err(Error::Limit(name.to_owned()));
        }
        let mut upstreams = BTreeMap::new();
        for (package, uri) in config.upstreams {
            let channel = connect(&uri).map_err(|source| Error::Upstream { package: package.clone(), uri, source })?;
            upstreams.insert(package, channel);
        }
        Ok(Gateway {
            router,
            limits,
            pages: Pages::new()?,
            keys: KeySet::from_jwks(&config.jwks)?,
            upstreams,
            body_limit_bytes: config.body_limit_bytes,
            deadline: config.deadline,
            failed_sign_ins: Attempts::new(config.address_failures),
            trusted_proxies: config.trusted_proxies,
            cors: Cors { origins: config.cors_origins, max_age: config.cors_max_age },
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
