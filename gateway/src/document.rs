//! The OpenAPI document of all that the gateway serves, and its title page.

use crate::{Error, well_known};
use openapi::Info;
use prost_reflect::DescriptorPool;
use serde_json::Value;
use std::collections::BTreeSet;
use transcode::{Access, Options, Router};

const DESCRIPTION: &str = "A commerce backend: users, products, stock, orders, payments and shipping.\n\n\
    - JSON is that of protobuf: 64-bit integers and decimals are strings, enums have names, times are RFC 3339.\n\
    - A member or a query parameter that is not known is refused, and all that is wrong with a request is told at once.\n\
    - A request with an Idempotency-Key may be repeated as it is: it is answered again and not done again.\n\
    - A list goes on while its reply has a `nextPageToken`; send it back as `pageToken`.";

/// What is true of every schema: what the gateway itself does.
const DESCRIPTION_OF_OTHERS: &str = "- JSON is that of protobuf: 64-bit integers are strings, enums have names, times are RFC 3339.\n\
    - A member or a query parameter that is not known is refused, and all that is wrong with a request is told at once.";

/// Packages that a title names; more are counted.
const NAMED: usize = 3;

/// The document of the contracts that this build was made of, when replies are written with `options`.
pub fn openapi(options: Options) -> Result<Value, Error> {
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).map_err(transcode::BuildError::from)?;
    let version = env!("CARGO_PKG_VERSION");
    let info = Info { title: "Comptoir", version, description: DESCRIPTION, license: Some("Apache-2.0") };
    let mut document = openapi::document(&pool, info, &openapi::Access::default(), output(options))?;
    well_known::describe(&mut document);
    Ok(document)
}

/// The document of other descriptors; its title is the names of the packages that are served.
pub(crate) fn of(pool: &DescriptorPool, router: &Router, default: &Access, options: Options) -> Result<Value, Error> {
    let packages: BTreeSet<&str> = router
        .rpcs()
        .filter(|rpc| rpc.reachable())
        .map(|rpc| rpc.package.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    let versions: BTreeSet<&str> = packages.iter().filter_map(|package| version(package)).collect();
    let info = Info {
        title: &title(&packages),
        version: &if versions.is_empty() { "unversioned".to_owned() } else { listed(&versions) },
        description: DESCRIPTION_OF_OTHERS,
        license: None,
    };
    let default = openapi::Access {
        public: default.public,
        user: default.user,
        owner: default.owner,
        roles: default.roles.clone(),
        ..Default::default()
    };
    Ok(openapi::document(pool, info, &default, output(options))?)
}

/// The same options, as the document takes them.
fn output(options: Options) -> openapi::Output {
    let Options { shows_defaults, keeps_names, numbers_enums } = options;
    openapi::Output { shows_defaults, keeps_names, numbers_enums }
}

fn title(packages: &BTreeSet<&str>) -> String {
    let named: BTreeSet<&str> = packages.iter().take(NAMED).copied().collect();
    match packages.len().saturating_sub(NAMED) {
        0 if packages.is_empty() => "gRPC services".to_owned(),
        0 => listed(&named),
        more => format!("{} and {more} more", listed(&named)),
    }
}

fn listed(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// The version at the end of a package's name, such as `v1` or `v1beta2`.
fn version(package: &str) -> Option<&str> {
    let last = package.rsplit('.').next()?;
    let is_version = last.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    is_version.then_some(last)
}
