//! How far each aggregate has been heard of: `{_id: service/noun/aggregate_id, seq}`. So that of two processes neither writes the
//! deliveries of an event before the other has written those of the event before it.

use ::store::Error;
use bson::{Document, doc};
use mongodb::{Collection, Database};

/// Cheap to clone.
#[derive(Clone)]
pub struct Cursors(Collection<Document>);

impl Cursors {
    pub fn new(database: &Database) -> Self {
        Self(database.collection(super::CURSORS))
    }

    /// The `seq` of the last event of an aggregate that was heard of; none before the first one.
    pub async fn seq(&self, aggregate: &str) -> Result<Option<i64>, Error> {
        let found = self.0.find_one(doc! { "_id": aggregate }).await?;
        Ok(found.and_then(|found| found.get_i64("seq").ok()))
    }

    /// Notes that this event was heard of, unless a later one was.
    pub async fn advance(&self, aggregate: &str, seq: i64) -> Result<(), Error> {
        let behind = doc! { "_id": aggregate, "seq": { "$lt": seq } };
        let advanced = self.0.update_one(behind, doc! { "$set": { "seq": seq } }).upsert(true).await;
        match advanced.map_err(Error::from) {
            // The insert of the upsert met the cursor, which is as far.
            Ok(_) | Err(Error::Duplicate) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
