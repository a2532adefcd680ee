//! Which server serves which service.

use crate::{Error, upstream::Upstream};
use rpc::tls::Roots;
use settings::{Key, Settings};
use std::{collections::BTreeMap, str::FromStr, sync::Arc};
use transcode::{Router, Rpc};

pub(crate) const UPSTREAM_CA: Key = Key::new(
    "upstream-ca",
    "COMPTOIR_UPSTREAM_CA",
    "File with the certificates of authorities, PEM, that sign those of https:// servers, beside the authorities of the web",
);

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

/// The authorities of the settings.
pub(crate) fn roots(settings: &Settings) -> Result<Roots, settings::Error> {
    match settings.value(&UPSTREAM_CA) {
        "" => Ok(Roots::default()),
        path => Roots::read(path.as_ref()).map_err(|error| settings.bad(&UPSTREAM_CA, error)),
    }
}

/// Makes the upstream at an address, if it is one.
pub(crate) type Made<'a> = &'a dyn Fn(&str) -> Option<Upstream>;

/// The upstreams of one schema.
#[derive(Default)]
pub(crate) struct Upstreams {
    /// By the places of the services in the router.
    by_service: Vec<Option<Arc<Upstream>>>,
    /// By what was configured.
    configured: BTreeMap<String, Arc<Upstream>>,
}

impl Upstreams {
    /// The upstreams of the services of `router`, one for each address, which `made` makes. Those of `old` are kept where their
    /// addresses are.
    pub(crate) fn new(addresses: &Addresses, router: &Router, old: &Upstreams, made: Made<'_>) -> Result<Self, Error> {
        let mut upstreams = Upstreams::default();
        for service in router.services() {
            let upstream = match addresses.of(service) {
                Some((name, uri)) => Some(upstreams.at(name, uri, old, made)?),
                None => None,
            };
            upstreams.by_service.push(upstream);
        }
        Ok(upstreams)
    }

    /// The upstream at `uri`, which was configured for `name`.
    fn at(&mut self, name: &str, uri: &str, old: &Upstreams, made: Made<'_>) -> Result<Arc<Upstream>, Error> {
        let mut known = self.configured.values().chain(old.configured.values());
        let upstream = match known.find(|known| known.uri() == uri) {
            Some(known) => known.clone(),
            None => Arc::new(made(uri).ok_or_else(|| Error::Upstream { uri: uri.to_owned() })?),
        };
        self.configured.insert(name.to_owned(), upstream.clone());
        Ok(upstream)
    }

    /// The upstream of the service of `rpc`.
    pub(crate) fn of(&self, rpc: &Rpc) -> Option<&Upstream> {
        self.by_service.get(rpc.service)?.as_deref()
    }

    /// All upstreams that are of use, by what was configured.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Arc<Upstream>)> {
        self.configured.iter()
    }
}
