//! What the gateway must be told.

use crate::TrustedProxies;
use rpc::attempts::Rate;
use std::{collections::BTreeMap, time::Duration};

/// Configuration of the gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// Protobuf package → address of the service that implements it, such as `http://127.0.0.1:9001`.
    pub upstreams: BTreeMap<String, String>,
    /// JSON Web Key Set (RFC 7517) of those who may sign tokens.
    pub jwks: String,
    /// Largest request body, in bytes.
    pub body_limit_bytes: usize,
    /// How long a call may take unless the caller wants it sooner. Streams have no end.
    pub deadline: Duration,
    /// How often sign-ins from one address may fail.
    pub address_failures: Rate,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Query parameters that are skipped where no field of the request has their name: what advertisers and
    /// analytics add to every link.
    pub ignored_parameters: IgnoredParameters,
    /// How long a stream is silent at most: proxies cut what is silent for longer.
    pub stream_keep_alive: Duration,
    /// Bounds of its port.
    pub limits: rpc::Limits,
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

impl Default for Config {
    /// No upstreams and no keys; 1 MiB, 15 s each and the usual parameters of others.
    fn default() -> Self {
        Config {
            upstreams: BTreeMap::new(),
            jwks: r#"{"keys":[]}"#.to_owned(),
            body_limit_bytes: 1 << 20,
            deadline: Duration::from_secs(15),
            address_failures: Rate { burst: 100, interval: Duration::from_secs(1) },
            trusted_proxies: TrustedProxies::default(),
            ignored_parameters: IgnoredParameters::USUAL.parse().expect("the constant has no other *"),
            stream_keep_alive: Duration::from_secs(15),
            limits: rpc::Limits::default(),
        }
    }
}
