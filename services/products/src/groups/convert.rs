//! Between the contract and the domain.

use crate::{
    error::Error,
    groups::domain::{Draft, ProductGroup},
};
use ::rpc::update::{self, FieldMask};
use ::store::{Versioned, fields::time};
use contracts::products::v1 as wire;

pub fn to_wire(found: &Versioned<ProductGroup>) -> wire::ProductGroup {
    reply(&found.id, &found.state, found.etag())
}

pub fn reply(id: &str, group: &ProductGroup, etag: String) -> wire::ProductGroup {
    wire::ProductGroup {
        group_id: id.to_owned(),
        name: group.name.clone(),
        description: group.description.clone(),
        varies_by: group.varies_by.clone(),
        create_time: Some(time::to_wire(group.created_at)),
        update_time: Some(time::to_wire(group.updated_at)),
        etag,
    }
}

/// What the caller of CreateProductGroup wants.
pub fn draft(group: wire::ProductGroup) -> Draft {
    let wire::ProductGroup { name, description, varies_by, .. } = group;
    Draft { name, description, varies_by }
}

/// What `wanted` makes of the group `found`, under `mask`.
pub fn merge(
    found: &Versioned<ProductGroup>,
    wanted: &wire::ProductGroup,
    mask: Option<&FieldMask>,
) -> Result<Draft, Error> {
    Ok(draft(update::apply(&to_wire(found), wanted, mask, "product_group").map_err(Error::Update)?))
}
