//! Events out: a product as it is after a change.

use crate::{convert::reply, domain::Product};
use ::store::{NewEvent, Versioned};
use contracts::products::v1::{ProductCreated, ProductUpdated};

pub fn created(id: &str, product: &Product) -> NewEvent {
    NewEvent::of("created", &ProductCreated { product: Some(reply(id, product, "1".to_owned())) })
}

pub fn updated(old: &Versioned<Product>, product: &Product, changed_fields: Vec<String>) -> NewEvent {
    let product = Some(reply(&old.id, product, (old.rev + 1).to_string()));
    NewEvent::of("updated", &ProductUpdated { product, changed_fields })
}
