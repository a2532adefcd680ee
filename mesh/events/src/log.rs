//! The log: every event of the service once, in an order without gaps. The source of what is published.

use crate::{Error, event::Entry};
use bson::{Bson, Document, RawArrayBuf, doc, raw::cstr, rawdoc};
use futures::TryStreamExt;
use mongodb::{Collection, Database, IndexModel, error::ErrorKind, options::IndexOptions};
use std::collections::HashMap;
use store::{Cache, page};

/// Bytes of one insert: half of the 16 MiB that a command may have, as room for its largest entry.
const INSERT_BYTES: usize = 8 * 1024 * 1024;

/// Longest wait for the majority: then the term ends, and the next one finds out what the log has.
const INSERT_TIMEOUT_MS: i32 = 10_000;

/// The highest `seq` that the log is known to have of each aggregate: 32,768 in a generation of the cache, some MB.
pub(crate) type LoggedSeqs = Cache<i64, 32_768>;

#[derive(Clone)]
pub(crate) struct Log {
    database: Database,
    entries: Collection<Entry>,
    raw: Collection<Document>,
}

impl Log {
    /// Opens the log and makes its unique index: each place of an aggregate is one event.
    pub async fn open(database: &Database) -> Result<Self, Error> {
        let options = IndexOptions::builder().unique(true).build();
        let places = IndexModel::builder().keys(doc! { "agg": 1, "aid": 1, "seq": 1 }).options(options).build();
        let entries = database.collection::<Entry>(store::LOG);
        entries.create_index(places).await?;
        // Earlier releases had an index of event ids. Nobody asks for one, and every entry paid for it.
        match entries.drop_index("eid_1").await {
            Err(error) if !is_not_there(&error) => return Err(error.into()),
            _ => {}
        }
        Ok(Self { database: database.clone(), entries, raw: database.collection(store::LOG) })
    }

    /// The log for reading; the relay sees to the indexes.
    pub fn unchecked(database: &Database) -> Self {
        let (entries, raw) = (database.collection(store::LOG), database.collection(store::LOG));
        Self { database: database.clone(), entries, raw }
    }

    /// At most `limit` entries of one aggregate after `seq`, and no more bytes than a page has, in order.
    pub async fn of_aggregate(&self, nouns: &[&String], id: &str, seq: i64, limit: i64) -> Result<Vec<Entry>, Error> {
        let filter = doc! { "agg": { "$in": nouns }, "aid": id, "seq": { "$gt": seq } };
        let cursor = self.entries.find(filter).sort(doc! { "seq": 1 }).limit(limit).await?;
        Ok(page::read(cursor, limit).await?.entries)
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

    /// The highest `seq` that the log has of each of these aggregates, if it is `from` or later.
    pub async fn highest_seqs(&self, noun: &str, ids: &[&str], from: i64) -> Result<HashMap<String, i64>, Error> {
        let pipeline = [
            doc! { "$match": { "agg": noun, "aid": { "$in": ids }, "seq": { "$gte": from } } },
            doc! { "$group": { "_id": "$aid", "seq": { "$max": "$seq" } } },
        ];
        let batch_size = u32::try_from(ids.len()).unwrap_or(u32::MAX).saturating_add(1);
        let cursor = self.raw.aggregate(pipeline).batch_size(batch_size).await?;
        let found: Vec<Document> = cursor.try_collect().await?;
        let pair = |entry: &Document| Some((entry.get_str("_id").ok()?.to_owned(), entry.get_i64("seq").ok()?));
        Ok(found.iter().filter_map(pair).collect())
    }

    /// Appends entries that are numbered already. [`Error::Superseded`] when another relay was first.
    ///
    /// A plain command, because the driver's insert would be a retryable write, which costs the server a tenth more;
    /// here the unique indexes make a repetition harmless.
    pub async fn append(&self, entries: &[Entry]) -> Result<(), Error> {
        let mut documents = RawArrayBuf::new();
        for entry in entries {
            let document = bson::serialize_to_raw_document_buf(entry)?;
            if documents.as_bytes().len() + document.as_bytes().len() > INSERT_BYTES && !documents.is_empty() {
                self.insert(std::mem::take(&mut documents)).await?;
            }
            documents.push(document);
        }
        if documents.is_empty() { Ok(()) } else { self.insert(documents).await }
    }

    async fn insert(&self, documents: RawArrayBuf) -> Result<(), Error> {
        let mut command = rawdoc! {
            "insert": store::LOG,
            "ordered": true,
            "writeConcern": { "w": "majority", "j": true, "wtimeout": INSERT_TIMEOUT_MS },
        };
        command.append(cstr!("documents"), documents);
        let reply = self.database.run_raw_command(command).await?;
        let is_duplicate =
            |error: &Bson| error.as_document().is_some_and(|error| matches!(error.get_i32("code"), Ok(11000)));
        match reply.get_array("writeErrors") {
            Ok(errors) if errors.iter().any(is_duplicate) => Err(Error::Superseded),
            Ok(_) => Err(mongodb::error::Error::custom(format!("the log was not appended to: {reply}")).into()),
            // Entries that a failover could still take back must not be published.
            Err(_) if reply.contains_key("writeConcernError") => {
                Err(mongodb::error::Error::custom(format!("the log's end is not durable: {reply}")).into())
            }
            Err(_) => Ok(()),
        }
    }

    /// At most `limit` entries after `gseq`, and no more bytes than a page has, in order.
    pub async fn after(&self, gseq: i64, limit: i64) -> Result<Vec<Entry>, Error> {
        let batch_size = u32::try_from(limit).unwrap_or(u32::MAX).saturating_add(1);
        let find = self.entries.find(doc! { "_id": { "$gt": gseq } }).sort(doc! { "_id": 1 });
        Ok(page::read(find.limit(limit).batch_size(batch_size).await?, limit).await?.entries)
    }
}

/// Whether the index to be dropped is not there.
fn is_not_there(error: &mongodb::error::Error) -> bool {
    const INDEX_NOT_FOUND: i32 = 27;
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == INDEX_NOT_FOUND)
}
