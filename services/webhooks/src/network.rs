//! Where requests may go: to public addresses over TLS, and to the networks of the configuration.

#[cfg(test)]
mod tests;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use url::{Host, Url};

/// How long a name may take to be resolved.
const RESOLUTION: Duration = Duration::from_secs(5);

/// Addresses of IPv4 that are not those of a host on the internet, by the special-purpose registry of IANA (RFC 6890), and
/// those of multicast.
const NOT_PUBLIC: [&str; 16] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// What of IPv6 is public, and what of that is not: 2001::/23 has Teredo, 2002::/16 wraps addresses of IPv4, the others are for
/// documents.
const PUBLIC_V6: &str = "2000::/3";
const NOT_PUBLIC_V6: [&str; 4] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

/// Why a request goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("must be https://HOST/PATH without a user and a fragment")]
    Form,
    #[error("the host has no address that webhooks may go to")]
    Forbidden,
    #[error("the host cannot be resolved")]
    Unresolved,
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Networks that are admitted although they are not public, and without TLS.
    listed: Arc<[IpNet]>,
}

impl Policy {
    pub fn new(listed: Vec<IpNet>) -> Self {
        Self { listed: listed.into() }
    }

    /// Whether a request may go to the address, which counts as that of IPv4 when it is mapped from one.
    pub fn admits(&self, address: IpAddr, has_tls: bool) -> bool {
        let address = address.to_canonical();
        self.listed.iter().any(|network| network.contains(&address)) || has_tls && is_public(address)
    }

    /// Refuses a URL by its form.
    pub fn parse(url: &str) -> Result<Url, Refusal> {
        let url = Url::parse(url).map_err(|_| Refusal::Form)?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let is_http = matches!(url.scheme(), "https" | "http") && url.host().is_some();
        if is_plain && is_http { Ok(url) } else { Err(Refusal::Form) }
    }

    /// Refuses a URL whose host is an address that is not admitted. A name is looked at when it is resolved.
    pub fn literal(&self, url: &Url) -> Result<(), Refusal> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Refusal::Form),
        };
        if self.admits(address, has_tls(url)) { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    /// Refuses a URL whose host has no address now that is admitted.
    pub async fn check(&self, url: &Url) -> Result<(), Refusal> {
        self.literal(url)?;
        match url.host() {
            Some(Host::Domain(name)) => self.resolve(name, has_tls(url)).await.map(drop),
            _ => Ok(()),
        }
    }

    /// The admitted addresses of a name.
    async fn resolve(&self, name: &str, has_tls: bool) -> Result<Vec<SocketAddr>, Refusal> {
        let found = tokio::time::timeout(RESOLUTION, tokio::net::lookup_host((name, 0))).await;
        let found = found.map_err(|_| Refusal::Unresolved)?.map_err(|_| Refusal::Unresolved)?;
        let admitted: Vec<SocketAddr> = found.filter(|address| self.admits(address.ip(), has_tls)).collect();
        if admitted.is_empty() { Err(Refusal::Forbidden) } else { Ok(admitted) }
    }
}

/// Resolves names for connections: to admitted addresses alone, which are those that are connected to.
pub struct Resolver {
    pub policy: Policy,
    pub has_tls: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, has_tls) = (self.policy.clone(), self.has_tls);
        Box::pin(async move {
            let admitted = policy.resolve(name.as_str(), has_tls).await?;
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

pub fn has_tls(url: &Url) -> bool {
    url.scheme() == "https"
}

fn is_public(address: IpAddr) -> bool {
    let is_in = |network: &str| {
        let network: IpNet = network.parse().expect("the tables of this file are networks");
        network.contains(&address)
    };
    match address {
        IpAddr::V4(_) => !NOT_PUBLIC.into_iter().any(is_in),
        IpAddr::V6(_) => is_in(PUBLIC_V6) && !NOT_PUBLIC_V6.into_iter().any(is_in),
    }
}
