//! Configuration of the gateway.

use crate::{client::TrustedProxies, cors::Origins, limits::RateLimits};
use rpc::{Limits, attempts::Rate};
use settings::{Error, JWKS_FILE, Key, LISTEN, Secret, Settings, addresses};
use std::{collections::BTreeMap, time::Duration};

const UPSTREAMS: Key =
    Key::new("upstreams", "COMPTOIR_UPSTREAMS", "Which service serves a protobuf package, PACKAGE=URI,…")
        .computed("http://NAME:PORT with the default ports", |_| Some(addresses(|_, service| service.proto.clone())));

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

const RATE_LIMITS: Key = Key::new(
    "rate-limits",
    "COMPTOIR_RATE_LIMITS",
    "Requests that each caller may send in a time, WHAT=REQUESTS/SECONDS,… where WHAT is user, address, sign-in (by address) \
     or the full name of an RPC; sign-in=0 takes that limit away",
)
.default(RateLimits::USUAL);

const NATS_URL: Key = Key::new(
    "nats-url",
    "COMPTOIR_NATS_URL",
    "NATS server that counts the rate limits for all replicas, nats://HOST:PORT; without it, each counts for itself",
);

const NATS_USER: Key =
    Key::new("nats-user", "COMPTOIR_NATS_USER", "NATS user").computed("gateway", |name| Some(name.to_owned()));

const NATS_PASSWORD: Key =
    Key::new("nats-password", "COMPTOIR_NATS_PASSWORD", "Password of the NATS user, where there is nats-url").secret();

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
    JWKS_FILE,
    UPSTREAMS,
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
    CORS_ORIGINS,
    CORS_MAX_AGE,
];

#[derive(Clone, Debug)]
pub struct Config {
    /// Protobuf package → address of the service that implements it, such as `http://127.0.0.1:9001`.
    pub upstreams: BTreeMap<String, String>,
    /// JSON Web Key Set (RFC 7517) of those who may sign tokens.
    pub jwks: String,
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
    /// Pages whose scripts may call from a browser.
    pub cors_origins: Origins,
    /// How long a browser keeps the reply to a preflight.
    pub cors_max_age: Duration,
    pub limits: Limits,
}

impl Config {
    /// Takes the configuration from the settings; reads the JWKS file.
    pub fn resolve(settings: &Settings) -> Result<Self, Error> {
        let proxies = settings.value(&TRUSTED_PROXIES).parse();
        let origins = settings.value(&CORS_ORIGINS).parse();
        Ok(Self {
            upstreams: settings.uris(&UPSTREAMS)?,
            jwks: settings.file(&JWKS_FILE)?,
            body_limit_bytes: settings.bounded(&BODY_LIMIT, 1024..=1 << 30)? as usize,
            deadline: settings.seconds(&DEADLINE, 1..=3600)?,
            address_failures: settings.parsed(&ADDRESS_FAILURES)?,
            rate_limits: settings.parsed(&RATE_LIMITS)?,
            nats: Nats::resolve(settings)?,
            trusted_proxies: proxies.map_err(|error| settings.bad(&TRUSTED_PROXIES, error))?,
            ignored_parameters: settings.parsed(&IGNORED_PARAMETERS)?,
            stream_keep_alive: settings.seconds(&STREAM_KEEP_ALIVE, 1..=3600)?,
            cors_origins: origins.map_err(|why: String| settings.bad(&CORS_ORIGINS, why))?,
            cors_max_age: settings.seconds(&CORS_MAX_AGE, 0..=86_400)?,
            limits: Limits::resolve(settings)?,
        })
    }
}

/// A user of NATS.
#[derive(Clone, Debug)]
pub struct Nats {
    pub url: String,
    pub user: String,
    pub password: Secret,
}

impl Nats {
    fn resolve(settings: &Settings) -> Result<Option<Self>, Error> {
        let url = settings.value(&NATS_URL);
        if url.is_empty() {
            return Ok(None);
        }
        let (user, password) = (settings.required(&NATS_USER)?.to_owned(), settings.secret(&NATS_PASSWORD)?);
        Ok(Some(Nats { url: url.to_owned(), user, password }))
    }
}

/// Names of query parameters, and starts of names with `*`, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredParameters(pub Vec<String>);

impl IgnoredParameters {
    /// Those of the large advertisers, of analytics and mailing programs, and the `_` that jQuery adds against caches.
    pub const USUAL: &str = "utm_*,gclid,gclsrc,gbraid,wbraid,dclid,gad_*,_gl,_ga,srsltid,fbclid,msclkid,mc_cid,mc_eid,\
         ttclid,twclid,li_fat_id,igshid,igsh,yclid,_hsenc,_hsmi,_kx,epik,_";
}

impl std::str::FromStr for IgnoredParameters {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let checked = |name: &str| match name.find('*') {
            Some(at) if at == 0 || at + 1 < name.len() => Err(format!("in {name:?} a * is not the end of a name")),
            _ => Ok(name.to_owned()),
        };
        names.map(checked).collect::<Result<_, _>>().map(Self)
    }
}
