//! Which server serves which service, and a connection to each.

use crate::{Error, channel::connect};
use std::{collections::BTreeMap, str::FromStr};
use tonic::transport::Channel;
use transcode::{Router, Rpc};

/// Addresses of servers by the packages, or services, that they serve. A package stands for its sub-packages too, where they
/// have no address of their own; the empty one for everything else.
#[derive(Clone, Debug, Default)]
pub struct Addresses(pub BTreeMap<String, String>);

impl Addresses {
    /// What was configured for a service, by its full name: the longest of the names that it begins with.
    pub(crate) fn of(&self, service: &str) -> Option<(&String, &String)> {
        let ends = service.rmatch_indices('.').map(|(at, _)| at).chain([0]);
        [service.len()].into_iter().chain(ends).find_map(|end| self.0.get_key_value(service.get(..end)?))
    }
}

impl FromStr for Addresses {
    type Err = String;

    /// `PACKAGE=URI,…`; an entry that is a URI alone is the address of everything else.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut found = BTreeMap::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (name, uri) = match entry.split_once('=') {
                Some((name, uri)) if !name.contains("://") => (name, uri),
                _ => ("", entry),
            };
            if !uri.contains("://") || (name.is_empty() && entry.starts_with('=')) {
                return Err(format!("{entry:?} is not PACKAGE=URI"));
            }
            if found.insert(name.to_owned(), uri.to_owned()).is_some() {
                let what = if name.is_empty() { "everything else" } else { name };
                return Err(format!("{what} has two addresses"));
            }
        }
        Ok(Addresses(found))
    }
}

/// The connections of one schema.
#[derive(Default)]
pub(crate) struct Upstreams {
    /// By the places of the services in the router.
    by_service: Vec<Option<Channel>>,
    /// By what was configured.
    configured: BTreeMap<String, Upstream>,
}

struct Upstream {
    uri: String,
    channel: Channel,
}

impl Upstreams {
    /// The connections of the services of `router`, each made when it is first called. Those of `old` that lead to the same
    /// address are kept.
    pub(crate) fn new(addresses: &Addresses, router: &Router, old: &Upstreams) -> Result<Self, Error> {
        let mut upstreams = Upstreams::default();
        for service in router.services() {
            let channel = match addresses.of(service) {
                Some((name, uri)) => Some(upstreams.connected(name, uri, old)?),
                None => None,
            };
            upstreams.by_service.push(channel);
        }
        Ok(upstreams)
    }

    fn connected(&mut self, name: &str, uri: &str, old: &Upstreams) -> Result<Channel, Error> {
        let known = self.configured.get(name).or(old.configured.values().find(|known| known.uri == uri));
        let channel = match known {
            Some(known) => known.channel.clone(),
            None => connect(uri).map_err(|source| Error::Upstream { uri: uri.to_owned(), source })?,
        };
        self.configured.insert(name.to_owned(), Upstream { uri: uri.to_owned(), channel: channel.clone() });
        Ok(channel)
    }

    /// The connection to the service of `rpc`.
    pub(crate) fn of(&self, rpc: &Rpc) -> Option<&Channel> {
        self.by_service.get(rpc.service)?.as_ref()
    }

    /// All connections that are of use, by what was configured.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Channel)> {
        self.configured.iter().map(|(name, upstream)| (name, &upstream.channel))
    }
}
