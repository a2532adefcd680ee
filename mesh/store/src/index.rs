//! Indexes, as each collection's store declares them.

use bson::Document;
use mongodb::{IndexModel, options::IndexOptions};

#[derive(Debug, Clone)]
pub struct Index {
    pub collection: String,
    pub model: IndexModel,
}

impl Index {
    /// An index for queries.
    pub fn new(collection: &str, keys: Document) -> Self {
        let options = IndexOptions::builder().unique(false).build();
        Self { collection: collection.to_owned(), model: IndexModel::builder().keys(keys).options(options).build() }
    }

    /// An index that refuses a second document with the same values.
    pub fn unique(collection: &str, keys: Document) -> Self {
        let mut index = Self::new(collection, keys);
        index.model.options.get_or_insert_default().unique = Some(true);
        index
    }

    /// The same for documents that have the fields; of the others there may be many.
    pub fn sparse(mut self) -> Self {
        self.model.options.get_or_insert_default().sparse = Some(true);
        self
    }
}
