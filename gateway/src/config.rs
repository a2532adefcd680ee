//! Configuration of the gateway.

mod values;

use crate::{
    client::TrustedProxies,
    cors::Origins,
    error::chain,
    rates::{NATS_PASSWORD, NATS_URL, NATS_USER, Nats, RATE_LIMITS, RateLimits},
    schema::{self, Source, Wanted},
    streams::STREAMS_PER_CALLER,
    upstream::{BREAKER_FAILURES, Bounds, UPSTREAM_CONCURRENCY},
    upstreams::{Addresses, UPSTREAM_CA, roots},
};
use rpc::{
    Issuer, Limits,
    attempts::Rate,
    issuer::ISSUER,
    tls::{self, Files, Roots},
};
use settings::{Error, JWKS_FILE, Key, LISTEN, Settings, addresses};
use std::time::Duration;
pub use values::{DefaultAccess, ForwardedHeaders, IgnoredParameters, JsonOutput};

const UPSTREAM: Key = Key::new(
    "upstream",
    "COMPTOIR_UPSTREAM",
    "Which server serves a protobuf package and its sub-packages, or one service, PACKAGE=URI,…; the longest name that fits \
     counts, and a URI alone is for all others",
)
.list()
.computed("http://NAME:PORT with the default ports", |_| Some(addresses(|_, service| service.proto.clone())));

const DESCRIPTORS: Key = Key::new(
    "descriptors",
    "COMPTOIR_DESCRIPTORS",
    "File with a FileDescriptorSet of what is served instead of Comptoir's contracts; read again when it changes and at SIGHUP",
);

const REFLECT: Key = Key::new(
    "reflect",
    "COMPTOIR_REFLECT",
    "Server whose gRPC reflection tells what is served instead of Comptoir's contracts, and that serves it, URI",
);

const REFLECT_INTERVAL: Key = Key::new(
    "reflect-interval-seconds",
    "COMPTOIR_REFLECT_INTERVAL_SECONDS",
    "How often reflection is asked again; 0 for at SIGHUP alone",
)
.unit("seconds")
.default("60");

const DEFAULT_ACCESS: Key = Key::new(
    "default-access",
    "COMPTOIR_DEFAULT_ACCESS",
    "Who may call an RPC whose contract does not say it, none, public, or user and role:NAME,…",
)
.list()
.default("none");

const FORWARD_HEADERS: Key = Key::new(
    "forward-headers",
    "COMPTOIR_FORWARD_HEADERS",
    "Headers of requests that go along to services, beside the token, trace and request id, NAME,…",
)
.list();

const JSON_OUTPUT: Key = Key::new(
    "json-output",
    "COMPTOIR_JSON_OUTPUT",
    "How replies are written as JSON, defaults for scalars, lists and maps also when they are empty, proto-names for page_size \
     and not pageSize, enum-numbers, or none of these, WORD,…",
)
.list()
.default("defaults");

const BODY_LIMIT: Key =
    Key::new("body-limit-bytes", "COMPTOIR_BODY_LIMIT_BYTES", "Largest request body").unit("bytes").default("1048576");

const DEADLINE: Key = Key::new("deadline-seconds", "COMPTOIR_DEADLINE_SECONDS", "Longest time that a request may take")
    .unit("seconds")
    .default("35");

const ADDRESS_FAILURES: Key = Key::new(
    "address-failures",
    "COMPTOIR_ADDRESS_FAILURES",
    "Failed sign-ins from one address at once, whatever the account, and after how many seconds one more, N/SECONDS; \
     0 is no limit",
)
.default("100/1");

const TRUSTED_PROXIES: Key = Key::new(
    "trusted-proxies",
    "COMPTOIR_TRUSTED_PROXIES",
    "Proxies whose X-Forwarded-For tells the caller's address, ADDRESS or NETWORK,…; without it, that of the connection",
);

const IGNORED_PARAMETERS: Key = Key::new(
    "ignored-parameters",
    "COMPTOIR_IGNORED_PARAMETERS",
    "Query parameters that are skipped unless they are fields of the request, NAME or START*,…; a lone comma for none",
)
.computed("those of advertisers and analytics: utm_*, gclid, fbclid, msclkid, mc_cid, _ and others", |_| {
    Some(IgnoredParameters::USUAL.to_owned())
});

const STREAM_KEEP_ALIVE: Key = Key::new(
    "stream-keep-alive-seconds",
    "COMPTOIR_STREAM_KEEP_ALIVE_SECONDS",
    "How long a watch is silent at most, so that proxies don't cut it",
)
.unit("seconds")
.default("15");

const CORS_ORIGINS: Key = Key::new(
    "cors-origins",
    "COMPTOIR_CORS_ORIGINS",
    "Origins of the pages that may call from a browser, ORIGIN,… such as https://shop.example, or * for all; without it, \
     none",
);

const CORS_MAX_AGE: Key = Key::new(
    "cors-max-age-seconds",
    "COMPTOIR_CORS_MAX_AGE_SECONDS",
    "How long a browser keeps what it was told about a path before a call",
)
.unit("seconds")
.default("7200");

/// The settings of the gateway, beside those of its port.
pub const KEYS: &[Key] = &[
    LISTEN,
    tls::CERTIFICATE,
    tls::KEY,
    JWKS_FILE,
    ISSUER,
    UPSTREAM,
    BREAKER_FAILURES,
    UPSTREAM_CONCURRENCY,
    UPSTREAM_CA,
    DESCRIPTORS,
    REFLECT,
    REFLECT_INTERVAL,
    DEFAULT_ACCESS,
    FORWARD_HEADERS,
    JSON_OUTPUT,
    BODY_LIMIT,
    DEADLINE,
    ADDRESS_FAILURES,
    RATE_LIMITS,
    NATS_URL,
    NATS_USER,
    NATS_PASSWORD,
    TRUSTED_PROXIES,
    IGNORED_PARAMETERS,
    STREAM_KEEP_ALIVE,
    STREAMS_PER_CALLER,
    CORS_ORIGINS,
    CORS_MAX_AGE,
];

#[derive(Clone, Debug)]
pub struct Config {
    pub source: Source,
    /// Who serves what.
    pub upstreams: Addresses,
    /// What each of them is bounded by.
    pub bounds: Bounds,
    pub upstream_roots: Roots,
    /// How often reflection is asked again, if it is.
    pub reflect_interval: Option<Duration>,
    pub default_access: DefaultAccess,
    pub forwarded_headers: ForwardedHeaders,
    pub json_output: JsonOutput,
    /// JSON Web Key Set (RFC 7517) of those who may sign tokens. None where nothing that is served asks for a token.
    pub jwks: Option<String>,
    /// Who issues the tokens of users: this gateway, where that is an address.
    pub issuer: Issuer,
    pub body_limit_bytes: usize,
    /// How long a call may take unless the caller wants it sooner. Streams have no end.
    pub deadline: Duration,
    pub address_failures: Rate,
    pub rate_limits: RateLimits,
    /// Where rate limits are counted for all replicas; without it each counts for itself.
    pub nats: Option<Nats>,
    pub trusted_proxies: TrustedProxies,
    /// Query parameters that are skipped where no field of the request has their name: what advertisers and
    /// analytics add to every link.
    pub ignored_parameters: IgnoredParameters,
    /// How long a stream is silent at most: proxies cut what is silent for longer.
    pub stream_keep_alive: Duration,
    /// Streams that one caller may have open at once.
    pub streams_per_caller: usize,
    /// Pages whose scripts may call from a browser.
    pub cors_origins: Origins,
    /// How long a browser keeps the reply to a preflight.
    pub cors_max_age: Duration,
    pub limits: Limits,
    /// Certificate and key of the port; without them it speaks no TLS.
    pub tls: Option<Files>,
}

impl Config {
    /// Takes the configuration from the settings; reads the JWKS file, and checks whether the certificate and a file of
    /// descriptors can be used.
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        let proxies = settings.value(&TRUSTED_PROXIES).parse();
        let origins = settings.value(&CORS_ORIGINS).parse();
        let headers = settings.value(&FORWARD_HEADERS).parse();
        let source = source(settings)?;
        let reflect_interval = settings.seconds(&REFLECT_INTERVAL, 0..=86_400)?;
        let config = Self {
            upstreams: upstreams(settings, &source)?,
            bounds: Bounds::resolve(settings)?,
            upstream_roots: roots(settings)?,
            reflect_interval: Some(reflect_interval).filter(|interval| !interval.is_zero()),
            default_access: settings.parsed(&DEFAULT_ACCESS)?,
            forwarded_headers: headers.map_err(|why: String| settings.bad(&FORWARD_HEADERS, why))?,
            json_output: settings.parsed(&JSON_OUTPUT)?,
            jwks: jwks(settings, &source)?,
            issuer: settings.parsed(&ISSUER)?,
            body_limit_bytes: settings.bounded(&BODY_LIMIT, 1024..=1 << 30)? as usize,
            deadline: settings.seconds(&DEADLINE, 1..=3600)?,
            address_failures: settings.parsed(&ADDRESS_FAILURES)?,
            rate_limits: settings.parsed(&RATE_LIMITS)?,
            nats: Nats::resolve(settings)?,
            trusted_proxies: proxies.map_err(|error| settings.bad(&TRUSTED_PROXIES, error))?,
            ignored_parameters: settings.parsed(&IGNORED_PARAMETERS)?,
            stream_keep_alive: settings.seconds(&STREAM_KEEP_ALIVE, 1..=3600)?,
            streams_per_caller: settings.bounded(&STREAMS_PER_CALLER, 1..=1_000_000)? as usize,
            cors_origins: origins.map_err(|why: String| settings.bad(&CORS_ORIGINS, why))?,
            cors_max_age: settings.seconds(&CORS_MAX_AGE, 0..=86_400)?,
            limits: Limits::resolve(settings)?,
            tls: Files::resolve(settings)?,
            source,
        };
        if let Source::File(path) = &config.source {
            let checked = std::fs::read(path).map_err(|error| error.to_string());
            let checked =
                checked.and_then(|encoded| schema::check(config.wanted(), &encoded).map_err(|error| chain(&error)));
            checked.map_err(|why| settings.bad(&DESCRIPTORS, format!("{}: {why}", path.display())))?;
        }
        Ok(config)
    }

    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            source: &self.source,
            addresses: &self.upstreams,
            roots: &self.upstream_roots,
            default_access: &self.default_access.0,
            options: self.json_output.0,
            has_keys: self.jwks.is_some(),
            bounds: self.bounds,
        }
    }
}

fn source(settings: &Settings) -> Result<Source, Error> {
    match (settings.value(&DESCRIPTORS), settings.value(&REFLECT)) {
        ("", "") => Ok(Source::Contracts),
        (path, "") => Ok(Source::File(path.into())),
        ("", uri) if uri.contains("://") => Ok(Source::Reflection(uri.to_owned())),
        ("", uri) => Err(settings.bad(&REFLECT, format!("{uri:?} is no URI such as http://127.0.0.1:50051"))),
        (_, _) => Err(settings.bad(&REFLECT, "COMPTOIR_DESCRIPTORS is set too; one of them tells what is served")),
    }
}

/// The default is about Comptoir's own services: a server that tells what it has serves it itself.
fn upstreams(settings: &Settings, source: &Source) -> Result<Addresses, Error> {
    if matches!(source, Source::Reflection(_)) && settings.is_default(&UPSTREAM) {
        return Ok(Addresses::default());
    }
    settings.parsed(&UPSTREAM)
}

/// Comptoir's own services ask for tokens; of others it shows when their descriptors are known.
fn jwks(settings: &Settings, source: &Source) -> Result<Option<String>, Error> {
    if settings.value(&JWKS_FILE).is_empty() && *source != Source::Contracts {
        return Ok(None);
    }
    settings.file(&JWKS_FILE).map(Some)
}
