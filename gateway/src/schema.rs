//! What the gateway serves: all that follows from one descriptor set, made at once.

use crate::{
    Error, document,
    error::Failure,
    files,
    pages::Pages,
    upstream::{Bounds, Upstream},
    upstreams::{Addresses, Upstreams},
};
use http::StatusCode;
use prost_reflect::DescriptorPool;
use rpc::tls::Roots;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};
use transcode::{Access, Options, Router, Rpc};

/// Where the descriptors come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The contracts that this build was made of.
    Contracts,
    /// A file with an encoded `google.protobuf.FileDescriptorSet`.
    File(PathBuf),
    /// The reflection of the server with this address.
    Reflection(String),
}

/// What is to be served, and what for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub source: &'a Source,
    pub addresses: &'a Addresses,
    /// Who signs for servers at https:// addresses, beside the authorities of the web.
    pub roots: &'a Roots,
    /// The rule of RPCs whose contracts have none.
    pub default_access: &'a Access,
    /// How replies are written as JSON.
    pub options: Options,
    /// Whether tokens can be checked.
    pub has_keys: bool,
    pub bounds: Bounds,
}

/// Overlaps of templates that are logged at most.
const TOLD: usize = 10;

/// Tells one descriptor set from another.
pub(crate) type Digest = [u8; 32];

pub(crate) fn digest(encoded: &[u8]) -> Digest {
    Sha256::digest(encoded).into()
}

#[derive(Clone)]
pub(crate) struct Schema {
    /// Whether it is that of this build, whose rules are known.
    pub is_ours: bool,
    pub router: Arc<Router>,
    pub pages: Arc<Pages>,
    pub upstreams: Arc<Upstreams>,
}

impl Schema {
    /// What is served before the descriptors are known: nothing.
    pub(crate) fn none() -> Result<Self, Error> {
        let router = Arc::new(Router::new(DescriptorPool::new())?);
        Ok(Schema { is_ours: false, router, pages: Arc::default(), upstreams: Arc::default() })
    }

    /// Compiles a descriptor set, or tells why it cannot be served. Upstreams of `old` are kept where addresses are.
    pub(crate) fn compile(wanted: Wanted<'_>, encoded: &[u8], old: &Upstreams) -> Result<Self, Error> {
        let (pool, router) = check(wanted, encoded)?;
        let document = match wanted.source {
            Source::Contracts => document::openapi(wanted.options)?,
            Source::File(_) | Source::Reflection(_) => {
                document::of(&pool, &router, wanted.default_access, wanted.options)?
            }
        };
        let made = |uri: &str| Upstream::new(uri, wanted.bounds, wanted.roots);
        let upstreams = Upstreams::new(&addresses(wanted), &router, old, &made)?;
        Ok(Schema {
            is_ours: *wanted.source == Source::Contracts,
            router: Arc::new(router),
            pages: Arc::new(Pages::new(&document)),
            upstreams: Arc::new(upstreams),
        })
    }

    /// Logs what is served, and what is not for want of a rule.
    pub(crate) fn tell(&self) {
        let is_silent = |rpc: &&Arc<Rpc>| !rpc.has_rule && !rpc.reachable();
        let (all, silent) = (self.router.rpcs().count(), self.router.rpcs().filter(is_silent).count());
        tracing::info!(
            services = self.router.services().len(),
            rpcs = all,
            routes = self.router.routes().len(),
            "serving"
        );
        for overlap in self.router.overlaps().iter().filter(|overlap| overlap.is_crossing).take(TOLD) {
            tracing::warn!("{overlap}, though that is the more specific one behind; comptoir gateway routes shows all");
        }
        for rpc in self.router.unbound() {
            tracing::warn!(
                rpc = rpc.full_name,
                "an RPC that takes a stream of requests is called by its name, not by a path"
            );
        }
        if silent > 0 {
            tracing::warn!(
                "{silent} of {all} RPCs are not served: their contracts do not say who may call; \
                 COMPTOIR_DEFAULT_ACCESS (or --default-access) says it for them"
            );
        }
    }
}

/// The configured addresses; a server that tells the schema serves what has no other.
fn addresses(wanted: Wanted<'_>) -> Addresses {
    let mut addresses = wanted.addresses.clone();
    if let Source::Reflection(uri) = wanted.source {
        addresses.0.entry(String::new()).or_insert_with(|| uri.clone());
    }
    addresses
}

/// The routes of a descriptor set, or why it cannot be served. Of the contracts of this build no more is asked: who runs a part
/// of their services has no address of the others.
pub(crate) fn check(wanted: Wanted<'_>, encoded: &[u8]) -> Result<(DescriptorPool, Router), Error> {
    let pool = pool(encoded)?;
    let router = Router::with(pool.clone(), wanted.default_access, wanted.options)?;
    if *wanted.source != Source::Contracts {
        complete(wanted, &router)?;
    }
    Ok((pool, router))
}

/// Refuses descriptors of which the configuration does not tell what it must.
fn complete(wanted: Wanted<'_>, router: &Router) -> Result<(), Error> {
    if router.services().is_empty() {
        return Err(Error::NoServices);
    }
    let addresses = addresses(wanted);
    // In the order of their names: `router.rpcs` has none, and an operator compares messages.
    let reachable: BTreeMap<&str, &Rpc> =
        router.rpcs().filter(|rpc| rpc.reachable()).map(|rpc| (rpc.full_name.as_str(), rpc.as_ref())).collect();
    for rpc in reachable.into_values() {
        if router.services().get(rpc.service).and_then(|service| addresses.of(service)).is_none() {
            return Err(Error::NoUpstream { package: rpc.package.clone() });
        }
        if !rpc.access.public && !wanted.has_keys {
            return Err(Error::NoKeys { rpc: rpc.full_name.clone() });
        }
    }
    Ok(())
}

/// The routes of a descriptor set.
pub fn router(encoded: &[u8], default: &Access) -> Result<Router, Error> {
    pool(encoded).and_then(|pool| Ok(Router::with(pool, default, Options::default())?))
}

fn pool(encoded: &[u8]) -> Result<DescriptorPool, Error> {
    let distinct = files::distinct(encoded).map_err(Error::Undecodable)?;
    Ok(DescriptorPool::decode(distinct.as_slice()).map_err(transcode::BuildError::from)?)
}

/// The answer to calls before the schema is known.
pub(crate) fn waiting() -> Failure {
    let text = "what is served here is not known yet; call again";
    Failure::with_http(StatusCode::SERVICE_UNAVAILABLE, rpc::status::unavailable("SCHEMA_UNAVAILABLE", text))
}
