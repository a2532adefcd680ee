//! What the log of a service says.

use bson::{Document, doc};
use futures::TryStreamExt;

/// The entries of a log that match, in order, each a document of its own with its place as `_id`.
pub async fn log(database: &mongodb::Database, filter: Document) -> anyhow::Result<Vec<Document>> {
    let mut stages = store::log::entries(filter);
    stages.push(doc! { "$sort": { "_id": 1 } });
    Ok(database.collection::<Document>(store::LOG).aggregate(stages).await?.try_collect().await?)
}
