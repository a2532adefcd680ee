//! The log: every event of the service once, in an order without gaps. The source of what is published.

use crate::{Error, event::Entry};
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::{Collection, Database, IndexModel, options::IndexOptions};
use std::collections::HashMap;

/// Handle of a service's log.
#[derive(Clone)]
pub(crate) struct Log {
    entries: Collection<Entry>,
    raw: Collection<Document>,
}

impl Log {
    /// Opens the log and makes its unique indexes.
    pub async fn open(database: &Database) -> Result<Self, Error> {
        let unique = |keys: Document| {
            IndexModel::builder().keys(keys).options(IndexOptions::builder().unique(true).build()).build()
        };
        let entries = database.collection::<Entry>(store::LOG);
        entries.create_indexes([unique(doc! { "eid": 1 }), unique(doc! { "agg": 1, "aid": 1, "seq": 1 })]).await?;
        Ok(Self { entries, raw: database.collection(store::LOG) })
    }

    /// The log for reading; the relay sees to the indexes.
    pub fn unchecked(database: &Database) -> Self {
        Self { entries: database.collection(store::LOG), raw: database.collection(store::LOG) }
    }

    /// At most `limit` entries of one aggregate after `seq`, in order.
    pub async fn of_aggregate(&self, nouns: &[&String], id: &str, seq: i64, limit: i64) -> Result<Vec<Entry>, Error> {
        let filter = doc! { "agg": { "$in": nouns }, "aid": id, "seq": { "$gt": seq } };
        Ok(self.entries.find(filter).sort(doc! { "seq": 1 }).limit(limit).await?.try_collect().await?)
    }

    /// The `gseq` before the first entry at or after `time`; the last one when there is none.
    pub async fn before(&self, time: store::Time) -> Result<i64, Error> {
        let first = self.raw.find_one(doc! { "at": { "$gte": time } }).sort(doc! { "_id": 1 }).await?;
        match first.and_then(|entry| entry.get_i64("_id").ok()) {
            Some(gseq) => Ok(gseq - 1),
            None => self.last().await,
        }
    }

    /// The last `gseq`, 0 when the log is empty.
    pub async fn last(&self) -> Result<i64, Error> {
        let newest = self.raw.find_one(doc! {}).sort(doc! { "_id": -1 }).projection(doc! { "_id": 1 }).await?;
        Ok(newest.and_then(|entry| entry.get_i64("_id").ok()).unwrap_or(0))
    }

    /// The highest `seq` that the log has of each of these aggregates.
    pub async fn archived(&self, noun: &str, ids: &[String]) -> Result<HashMap<String, i64>, Error> {
        let pipeline = [
            doc! { "$match": { "agg": noun, "aid": { "$in": ids } } },
            doc! { "$group": { "_id": "$aid", "seq": { "$max": "$seq" } } },
        ];
        let found: Vec<Document> = self.raw.aggregate(pipeline).await?.try_collect().await?;
        let pair = |entry: &Document| Some((entry.get_str("_id").ok()?.to_owned(), entry.get_i64("seq").ok()?));
        Ok(found.iter().filter_map(pair).collect())
    }

    /// Appends entries that are numbered already. [`Error::Superseded`] when another relay was first.
    pub async fn append(&self, entries: &[Entry]) -> Result<(), Error> {
        match self.entries.insert_many(entries).await.map_err(store::Error::from) {
            Ok(_) => Ok(()),
            Err(store::Error::Duplicate) => Err(Error::Superseded),
            Err(error) => Err(error.into()),
        }
    }

    /// At most `limit` entries after `gseq`, in order.
    pub async fn after(&self, gseq: i64, limit: i64) -> Result<Vec<Entry>, Error> {
        let cursor = self.entries.find(doc! { "_id": { "$gt": gseq } }).sort(doc! { "_id": 1 }).limit(limit).await?;
        Ok(cursor.try_collect().await?)
    }
}
