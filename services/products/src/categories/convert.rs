//! Between the contract and the domain.

use crate::{
    categories::domain::{Category, Draft, Tree},
    error::Error,
};
use ::rpc::update::{self, FieldMask};
use ::store::{Versioned, fields::time};
use contracts::products::v1 as wire;

pub fn to_wire(found: &Versioned<Category>, tree: &Tree) -> wire::Category {
    reply(&found.id, &found.state, found.etag(), tree)
}

/// The category; `tree` has those that it is in.
pub fn reply(id: &str, category: &Category, etag: String, tree: &Tree) -> wire::Category {
    wire::Category {
        category_id: id.to_owned(),
        name: category.name.clone(),
        parent_id: category.parent_id.clone().unwrap_or_default(),
        path: tree.path(category),
        create_time: Some(time::to_wire(category.created_at)),
        update_time: Some(time::to_wire(category.updated_at)),
        etag,
    }
}

/// What the caller of CreateCategory wants.
pub fn draft(category: wire::Category) -> Draft {
    let wire::Category { name, parent_id, .. } = category;
    Draft { name, parent_id: Some(parent_id).filter(|id| !id.is_empty()) }
}

/// What `wanted` makes of the category `found`, under `mask`.
pub fn merge(
    found: &Versioned<Category>,
    tree: &Tree,
    wanted: &wire::Category,
    mask: Option<&FieldMask>,
) -> Result<Draft, Error> {
    Ok(draft(update::apply(&to_wire(found, tree), wanted, mask, "category").map_err(Error::Update)?))
}
