//! Events out: a group as it is after a change.

use crate::groups::{convert::reply, domain::ProductGroup};
use ::store::{NewEvent, Versioned};
use contracts::products::v1::{ProductGroupCreated, ProductGroupUpdated};

pub fn created(id: &str, group: &ProductGroup) -> NewEvent {
    NewEvent::of("created", &ProductGroupCreated { product_group: Some(reply(id, group, "1".to_owned())) })
}

pub fn updated(old: &Versioned<ProductGroup>, group: &ProductGroup, changed_fields: Vec<String>) -> NewEvent {
    let product_group = Some(reply(&old.id, group, (old.rev + 1).to_string()));
    NewEvent::of("updated", &ProductGroupUpdated { product_group, changed_fields })
}
