//! What a group of products is, and which options its variants have. Pure.

#[cfg(test)]
mod tests;

use crate::domain::{Error, ProductOption};
use ::store::Time;
use contracts::text::sku_key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most variants of a group: one request for a page of a search can ask for all of them.
pub const MAX_VARIANTS: i32 = 100;

/// Most characters of the name of an option.
const MAX_NAME: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductGroup {
    pub name: String,
    pub description: String,
    /// The names of the options in which its variants differ, in the order in which they are shown.
    pub varies_by: Vec<String>,
    /// How many products name it. Products that come and go change it, and no version of the group.
    pub variant_count: i32,
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
    pub description: String,
    /// 1 to 3, each once in whatever case it is written.
    pub varies_by: Vec<String>,
}

impl ProductGroup {
    pub fn create(draft: Draft, request_key: String, now: Time) -> Result<Self, Error> {
        let Draft { name, description, varies_by } = draft.checked()?;
        let (created_at, updated_at, variant_count, request_digest) = (now, now, 0, String::new());
        Ok(Self { name, description, varies_by, variant_count, created_at, updated_at, request_key, request_digest })
    }

    /// The group after an update, and the names of the fields that changed.
    pub fn update(&self, draft: Draft, now: Time) -> Result<(Self, Vec<String>), Error> {
        let Draft { name, description, varies_by } = draft.checked()?;
        if varies_by != self.varies_by && self.variant_count > 0 {
            return Err(Error::GroupHasVariants);
        }
        let differs = [
            ("name", name != self.name),
            ("description", description != self.description),
            ("varies_by", varies_by != self.varies_by),
        ];
        let changed = differs.iter().filter(|(_, differs)| *differs).map(|(field, _)| (*field).to_owned()).collect();
        Ok((Self { name, description, varies_by, updated_at: now, ..self.clone() }, changed))
    }

    /// The options of a variant in the order of the group: one for each name, and no other.
    pub fn arrange(&self, options: &[ProductOption]) -> Result<Vec<ProductOption>, Error> {
        let of = |name: &String| options.iter().find(|option| option.name == *name).cloned();
        let arranged: Vec<ProductOption> = self.varies_by.iter().filter_map(of).collect();
        if arranged.len() != self.varies_by.len() || arranged.len() != options.len() {
            return Err(Error::OptionNames(self.varies_by.join(", ")));
        }
        Ok(arranged)
    }

    /// Whether one more product may be a variant of it.
    pub fn admit(&self) -> Result<(), Error> {
        if self.variant_count < MAX_VARIANTS { Ok(()) } else { Err(Error::TooManyVariants(MAX_VARIANTS)) }
    }
}

impl Draft {
    fn checked(self) -> Result<Self, Error> {
        if self.name.trim().is_empty() {
            return Err(Error::Required("product_group.name"));
        }
        if self.varies_by.is_empty() || self.varies_by.iter().any(|name| name.trim().is_empty()) {
            return Err(Error::Required("product_group.varies_by"));
        }
        if self.varies_by.iter().any(|name| name.chars().count() > MAX_NAME) {
            return Err(Error::OptionNameTooLong(MAX_NAME));
        }
        if self.varies_by.iter().any(|name| name.contains('=')) {
            return Err(Error::OptionNameWithSign);
        }
        let distinct: BTreeSet<String> = self.varies_by.iter().map(|name| sku_key(name)).collect();
        if distinct.len() < self.varies_by.len() { Err(Error::OptionTwice) } else { Ok(self) }
    }
}
