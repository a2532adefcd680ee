//! Events out: a category as it is after a change.

use crate::categories::{
    convert::reply,
    domain::{Category, Tree},
};
use ::store::{NewEvent, Versioned};
use contracts::products::v1::{CategoryCreated, CategoryDeleted, CategoryUpdated};

pub fn created(id: &str, category: &Category, tree: &Tree) -> NewEvent {
    let category = Some(reply(id, category, "1".to_owned(), tree));
    NewEvent::of("created", &CategoryCreated { category })
}

pub fn updated(old: &Versioned<Category>, category: &Category, tree: &Tree, changed_fields: Vec<String>) -> NewEvent {
    let category = Some(reply(&old.id, category, (old.rev + 1).to_string(), tree));
    NewEvent::of("updated", &CategoryUpdated { category, changed_fields })
}

pub fn deleted(id: &str) -> NewEvent {
    NewEvent::of("deleted", &CategoryDeleted { category_id: id.to_owned() })
}
