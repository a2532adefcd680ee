//! Indexes, as each collection's store declares them.

use bson::{Document, doc};
use mongodb::{Collection, IndexModel, options::IndexOptions};

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

/// Rewrites the documents of an earlier release, those without `field`, and drops its indexes after that, in this order: while
/// the last of them is there, such documents may be.
pub async fn take_over(
    collection: &Collection<Document>,
    field: &str,
    rewrite: Vec<Document>,
    obsolete: &[&str],
) -> Result<(), mongodb::error::Error> {
    let names = collection.list_index_names().await?;
    let obsolete: Vec<&&str> = obsolete.iter().filter(|index| names.iter().any(|name| name == **index)).collect();
    if !obsolete.is_empty() {
        tracing::info!(collection = collection.name(), "the documents of an earlier release are rewritten");
        collection.update_many(doc! { field: { "$exists": false } }, rewrite).await?;
    }
    for index in obsolete {
        collection.drop_index(*index).await?;
    }
    Ok(())
}
