//! What every request needs: routes, keys, a connection to each upstream, and the bounds.

use crate::{
    Config, Error,
    client::TrustedProxies,
    cors::Cors,
    limits::Limits,
    pages::{Page, Pages},
    schema::Schema,
    streams::Streams,
    upstreams::Upstreams,
    well_known,
};
use http::HeaderName;
use limit::Shared;
use rpc::{KeySet, attempts::Attempts};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use transcode::Router;

/// A key set that no token was signed with.
const NO_KEYS: &str = r#"{"keys":[]}"#;

#[derive(Clone)]
pub(crate) struct Gateway {
    /// Whether the schema is not known yet.
    pub is_waiting: bool,
    /// Whether the rules of requests are those of this build.
    pub is_ours: bool,
    pub router: Arc<Router>,
    pub pages: Arc<Pages>,
    /// What it tells of the tokens of users.
    pub well_known: Arc<Pages>,
    pub upstreams: Arc<Upstreams>,
    pub keys: KeySet,
    pub body_limit_bytes: usize,
    pub deadline: Duration,
    pub failed_sign_ins: Arc<Attempts>,
    pub limits: Arc<Limits>,
    pub trusted_proxies: TrustedProxies,
    pub cors: Arc<Cors>,
    pub ignored_parameters: Vec<String>,
    pub forwarded_headers: Vec<HeaderName>,
    pub stream_keep_alive: Duration,
    pub streams: Arc<Streams>,
    /// Cancelled at the shutdown: streams end.
    pub stop: CancellationToken,
    /// Cancelled after the grace: calls end.
    pub cut: CancellationToken,
}

impl Gateway {
    /// `shared` counts for the rate limits; `stop` and `cut` are the tokens of those names.
    pub(crate) fn new(
        config: &Config,
        schema: Schema,
        shared: Option<&Arc<Shared>>,
        (stop, cut): (CancellationToken, CancellationToken),
    ) -> Result<Self, Error> {
        let is_waiting = schema.router.services().is_empty();
        let limits = Limits::new(&config.rate_limits, shared);
        if let Some(name) = limits.unknown(&schema.router).filter(|_| !is_waiting) {
            return Err(Error::Limit(name.to_owned()));
        }
        Ok(Gateway {
            is_waiting,
            is_ours: schema.is_ours,
            router: schema.router,
            pages: schema.pages,
            well_known: Arc::new(well_known::pages(config.jwks.as_deref(), &config.issuer)?),
            upstreams: schema.upstreams,
            limits: Arc::new(limits),
            keys: KeySet::from_jwks(config.jwks.as_deref().unwrap_or(NO_KEYS))?.issued_by(&config.issuer),
            body_limit_bytes: config.body_limit_bytes,
            deadline: config.deadline,
            failed_sign_ins: Arc::new(Attempts::new(config.address_failures)),
            trusted_proxies: config.trusted_proxies.clone(),
            cors: Arc::new(Cors { origins: config.cors_origins.clone(), max_age: config.cors_max_age }),
            ignored_parameters: config.ignored_parameters.0.clone(),
            forwarded_headers: config.forwarded_headers.0.clone(),
            stream_keep_alive: config.stream_keep_alive,
            streams: Arc::new(Streams::new(config.streams_per_caller)),
            stop,
            cut,
        })
    }

    /// The page at this path.
    pub(crate) fn page(&self, path: &str) -> Option<&Page> {
        self.pages.at(path).or_else(|| self.well_known.at(path))
    }

    /// The same gateway with another schema.
    pub(crate) fn with(&self, schema: Schema) -> Self {
        let Schema { is_ours, router, pages, upstreams } = schema;
        Gateway { is_waiting: false, is_ours, router, pages, upstreams, ..self.clone() }
    }
}
