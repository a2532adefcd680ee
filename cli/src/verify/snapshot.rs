//! One moment of the whole replica set: a snapshot session, and how its documents are read.

use bson::{Bson, Document, doc};
use mongodb::{ClientSession, Collection};
use std::collections::HashMap;

/// Codes of errors that a snapshot a moment later does not have: a collection or index was just made, or the history that
/// the server keeps is over (SnapshotTooOld, SnapshotUnavailable of the server's `error_codes.yml`).
const PASSING: [i32; 2] = [239, 246];

/// One moment of all databases.
pub struct Snapshot(ClientSession);

impl Snapshot {
    pub fn new(session: ClientSession) -> Self {
        Self(session)
    }

    /// Documents in the order of `_id`; all when `limit` is 0.
    pub async fn find(
        &mut self,
        collection: &Collection<Document>,
        filter: Document,
        fields: Document,
        limit: i64,
    ) -> mongodb::error::Result<Vec<Document>> {
        // The next page begins after the last `_id` of this one.
        let find = collection.find(filter).projection(fields).sort(doc! { "_id": 1 }).limit(limit);
        let mut cursor = find.session(&mut self.0).await?;
        let mut found = Vec::new();
        while cursor.advance(&mut self.0).await? {
            found.push(cursor.deserialize_current()?);
        }
        Ok(found)
    }

    pub async fn by_id(
        &mut self,
        collection: &Collection<Document>,
        ids: &[&str],
        fields: Document,
    ) -> mongodb::error::Result<HashMap<String, Document>> {
        let found = self.find(collection, doc! { "_id": { "$in": ids } }, fields, 0).await?;
        Ok(found.into_iter().map(|document| (text(&document, "_id").to_owned(), document)).collect())
    }

    pub async fn aggregate(
        &mut self,
        collection: &Collection<Document>,
        pipeline: Vec<Document>,
    ) -> mongodb::error::Result<Vec<Document>> {
        let mut cursor = collection.aggregate(pipeline).allow_disk_use(true).session(&mut self.0).await?;
        let mut found = Vec::new();
        while cursor.advance(&mut self.0).await? {
            found.push(cursor.deserialize_current()?);
        }
        Ok(found)
    }
}

/// Whether the same look may succeed a moment later.
pub fn is_passing(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<mongodb::error::Error>();
    cause.is_some_and(|cause| match cause.kind.as_ref() {
        mongodb::error::ErrorKind::Command(command) => PASSING.contains(&command.code),
        _ => cause.contains_label(mongodb::error::RETRYABLE_ERROR) || is_network(cause),
    })
}

fn is_network(error: &mongodb::error::Error) -> bool {
    matches!(
        error.kind.as_ref(),
        mongodb::error::ErrorKind::Io(_) | mongodb::error::ErrorKind::ConnectionPoolCleared { .. }
    )
}

/// A field that is a string; empty when it is not.
pub fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get_str(name).unwrap_or_default()
}

/// A field that is a whole number of either width; 0 when it is not.
pub fn number(document: &Document, name: &str) -> i64 {
    match document.get(name) {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        _ => 0,
    }
}

/// The documents of a field that is a list.
pub fn list<'a>(document: &'a Document, name: &str) -> impl Iterator<Item = &'a Document> {
    document.get_array(name).into_iter().flatten().filter_map(|entry| entry.as_document())
}

pub fn part<'a>(document: &'a Document, name: &str) -> Option<&'a Document> {
    document.get_document(name).ok()
}
