//! The OpenAPI document of all that the gateway serves, and its title page.

use crate::Error;
use openapi::Info;
use prost_reflect::DescriptorPool;
use serde_json::Value;

const DESCRIPTION: &str = "A commerce backend: users, products, stock, orders, payments and shipping.\n\n\
    - JSON is that of protobuf: 64-bit integers and decimals are strings, enums have names, times are RFC 3339.\n\
    - A member or a query parameter that is not known is refused, and all that is wrong with a request is told at once.\n\
    - A request with an Idempotency-Key may be repeated as it is: it is answered again and not done again.\n\
    - A list goes on while its reply has a `nextPageToken`; send it back as `pageToken`.";

/// The document of the contracts that this build was made of.
pub fn openapi() -> Result<Value, Error> {
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).map_err(transcode::BuildError::from)?;
    let version = env!("CARGO_PKG_VERSION");
    let info = Info { title: "Comptoir", version, description: DESCRIPTION, license: "Apache-2.0" };
    Ok(openapi::document(&pool, info)?)
}
