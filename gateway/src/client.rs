//! Who a caller is on the network: the peer of the connection, or whom trusted proxies name in `X-Forwarded-For`.

#[cfg(test)]
mod tests;

use axum::extract::ConnectInfo;
use http::{HeaderMap, request::Parts};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

/// Networks of proxies whose `X-Forwarded-For` is believed: `10.0.0.0/8, fd00::/8`, or single addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// The text is no list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an address nor a network such as 10.0.0.0/8")]
pub struct NoNetwork(String);

impl FromStr for TrustedProxies {
    type Err = NoNetwork;

    fn from_str(list: &str) -> Result<Self, NoNetwork> {
        let network = |entry: &str| {
            let single = || entry.parse::<IpAddr>().map(IpNet::from);
            entry.parse::<IpNet>().or_else(|_| single()).map_err(|_| NoNetwork(entry.to_owned()))
        };
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    /// The address of a caller. `X-Forwarded-For` is read from its end, where the nearest proxy has written, and only as
    /// far as proxies are trusted: what stands before that anyone may have made up.
    pub fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut caller = peer.to_canonical();
        let lists = headers.get_all("x-forwarded-for").iter().rev().map(|value| value.to_str().unwrap_or_default());
        for hop in lists.flat_map(|list| list.rsplit(',')) {
            if !self.0.iter().any(|network| network.contains(&caller)) {
                break;
            }
            let Some(before) = address(hop.trim()) else { break };
            caller = before.to_canonical();
        }
        caller
    }
}

/// The name under which what a caller does is counted: one IPv6 subscriber has a network of 64 bits.
pub(crate) fn name(proxies: &TrustedProxies, request: &Parts) -> String {
    match address_of(proxies, request) {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 64).trunc().to_string(),
    }
}

/// The network of a caller, too large to tell a person: 256 addresses, or what a provider gives to one site in IPv6.
pub(crate) fn network(proxies: &TrustedProxies, request: &Parts) -> IpNet {
    match address_of(proxies, request) {
        IpAddr::V4(address) => Ipv4Net::new_assert(address, 24).trunc().into(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 48).trunc().into(),
    }
}

fn address_of(proxies: &TrustedProxies, request: &Parts) -> IpAddr {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    proxies.caller(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), &request.headers)
}

/// An address, with a port or without: proxies write both.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}
