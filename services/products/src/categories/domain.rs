//! What a category is, and the tree that categories form. Pure.

#[cfg(test)]
mod tests;

use crate::domain::Error;
use ::store::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most categories of a shop: all of them are read to decide a change.
pub const MAX_CATEGORIES: usize = 1_000;

/// Most levels of the tree.
pub const MAX_DEPTH: usize = 8;

const PARENT: &str = "category.parent_id";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    pub name: String,
    /// None at the top of the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// It stays without its name, so that the repeat of its deletion finds it.
    pub deleted: bool,
    pub created_at: Time,
    pub updated_at: Time,
    /// Key of the request that created it; the document's own id when there was none.
    pub request_key: String,
    /// Digest of that request; empty when there was none.
    #[serde(default)]
    pub request_digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Name, not empty.
    pub name: String,
    pub parent_id: Option<String>,
}

/// The categories that are not deleted, by id.
#[derive(Debug, Clone, Default)]
pub struct Tree(BTreeMap<String, Category>);

impl Tree {
    pub fn new(categories: impl IntoIterator<Item = (String, Category)>) -> Self {
        Self(categories.into_iter().collect())
    }

    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// The category and those that it is in, from itself to the top; nothing of an unknown one.
    pub fn line<'a>(&'a self, id: &str) -> Vec<&'a str> {
        let mut line = Vec::new();
        let mut at = self.0.get_key_value(id);
        // A tree that is read while it changes may have a circle for a moment.
        while let Some((id, category)) = at.filter(|_| line.len() < MAX_DEPTH) {
            line.push(id.as_str());
            at = category.parent_id.as_ref().and_then(|parent| self.0.get_key_value(parent));
        }
        line
    }

    /// The names from the top of the tree to `category`, its own included.
    pub fn path(&self, category: &Category) -> Vec<String> {
        let above = category.parent_id.iter().flat_map(|parent| self.line(parent));
        let mut path: Vec<String> = above.filter_map(|id| self.0.get(id)).map(|above| above.name.clone()).collect();
        path.reverse();
        path.push(category.name.clone());
        path
    }

    /// The path of a category of the tree; empty of an unknown one.
    pub fn path_of(&self, id: &str) -> Vec<String> {
        self.0.get(id).map(|category| self.path(category)).unwrap_or_default()
    }

    /// The category and all that is below it.
    pub fn subtree(&self, id: &str) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).filter(|below| self.line(below).contains(&id)).collect()
    }

    /// Categories that are not in the tree, unless they were `known` before: a product keeps them until it is changed.
    pub fn check(&self, ids: &[String], known: &[String]) -> Result<(), Error> {
        match ids.iter().find(|id| !self.has(id) && !known.contains(id)) {
            Some(id) => Err(Error::UnknownCategory { field: "product.category_ids", id: id.clone() }),
            None => Ok(()),
        }
    }

    pub fn create(&self, draft: Draft, request_key: String, now: Time) -> Result<Category, Error> {
        if self.0.len() >= MAX_CATEGORIES {
            return Err(Error::TooManyCategories(MAX_CATEGORIES));
        }
        let Draft { name, parent_id } = draft.checked()?;
        self.place(parent_id.as_deref(), 1)?;
        let (created_at, updated_at, deleted, request_digest) = (now, now, false, String::new());
        Ok(Category { name, parent_id, deleted, created_at, updated_at, request_key, request_digest })
    }

    /// The category after an update, and the names of the fields that changed.
    pub fn update(&self, id: &str, old: &Category, draft: Draft, now: Time) -> Result<(Category, Vec<String>), Error> {
        let Draft { name, parent_id } = draft.checked()?;
        let mut changed = Vec::new();
        if name != old.name {
            changed.push("name".to_owned());
        }
        if parent_id != old.parent_id {
            let moved = self.subtree(id);
            if parent_id.as_deref().is_some_and(|parent| moved.contains(parent)) {
                return Err(Error::CategoryCycle);
            }
            let above = self.line(id).len();
            let deepest = moved.iter().map(|below| self.line(below).len()).max().unwrap_or(above);
            self.place(parent_id.as_deref(), deepest + 1 - above)?;
            changed.push("parent_id".to_owned());
        }
        Ok((Category { name, parent_id, updated_at: now, ..old.clone() }, changed))
    }

    /// The category without its name, unless another one is in it.
    pub fn delete(&self, id: &str, old: &Category, now: Time) -> Result<Category, Error> {
        if self.0.values().any(|category| category.parent_id.as_deref() == Some(id)) {
            return Err(Error::CategoryNotEmpty);
        }
        Ok(Category { name: String::new(), parent_id: None, deleted: true, updated_at: now, ..old.clone() })
    }

    /// Refused unless `levels` of categories have a place below `parent`.
    fn place(&self, parent: Option<&str>, levels: usize) -> Result<(), Error> {
        let above = match parent {
            Some(id) if !self.has(id) => return Err(Error::UnknownCategory { field: PARENT, id: id.to_owned() }),
            Some(id) => self.line(id).len(),
            None => 0,
        };
        if above + levels > MAX_DEPTH { Err(Error::CategoryTooDeep(MAX_DEPTH)) } else { Ok(()) }
    }
}

impl Draft {
    fn checked(self) -> Result<Self, Error> {
        if self.name.trim().is_empty() { Err(Error::Required("category.name")) } else { Ok(self) }
    }
}
